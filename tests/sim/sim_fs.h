/*
 * A file system in memory that knows what a power cut may leave of it.
 *
 * Each file has what readers see and what is surely on the disk, and between the two the changes
 * that no sync has covered, in their order; so has each directory. From that, after any operation, a
 * second file system can be made which is what some crash would have left: see enum sim_loss.
 *
 * What POSIX promises is promised here, and no more. A file's bytes are safe once it was synced, its
 * name once the directory that holds it was; a rename happens whole or not at all. Until then
 * anything goes: pages reach the disk in any order and torn, a file's size before its bytes, a
 * directory's changes one without the other.
 *
 * One thread. Memory that runs out ends the program: it is the test's.
 */
#ifndef TESTS_SIM_SIM_FS_H
#define TESTS_SIM_SIM_FS_H

#include "fs/fs.h"
#include "support/fault_fs.h"
#include "support/seeded.h"

enum { SIM_NAME = 64, SIM_LOG_LINES = 64, SIM_LOG_LINE = 128 };

/* The bytes of a file; those from `used` up to `size` are zeros. */
struct sim_bytes {
    uint8_t *data;
    size_t used, room;
    uint64_t size;
};

/* Something that was done to a file and no sync has covered. */
struct sim_change {
    uint64_t number; /* in the order of all changes of the file system */
    bool truncates;  /* to `offset`; otherwise `size` bytes were written there */
    uint64_t offset, size;
    uint8_t *data; /* `used` bytes, then zeros */
    size_t used;
};

struct sim_entry {
    char name[SIM_NAME];
    size_t node;
};

struct sim_directory {
    struct sim_entry *entries;
    size_t count, room;
};

/* A file or a directory. */
struct sim_node {
    bool is_directory, locked;
    unsigned handles;
    uint64_t allocated;
    struct sim_bytes live, disk;
    struct sim_change *changes;
    size_t change_count, change_room;
    bool suspect; /* a sync failed: some pages are clean, but not on the disk */
    struct sim_directory live_entries, disk_entries;
};

/* A change of names that no sync has covered; both sides of a rename are one. */
struct sim_naming {
    uint64_t number;
    size_t directory, to_directory;
    char name[SIM_NAME], to_name[SIM_NAME]; /* "": nothing goes, or nothing comes */
    size_t node;
};

struct sim_fs {
    struct fl_fs fs;   /* hand this out */
    uint64_t capacity; /* bytes; it may be changed at any time */

    /* After each operation that changes something, or would have. NULL: none. */
    void (*after)(void *context);
    void *after_context;

    uint64_t operations; /* of that kind so far */
    int64_t open_files;

    struct sim_node *nodes; /* the first is the root */
    size_t node_count, node_room;
    struct sim_naming *namings;
    size_t naming_count, naming_room;
    uint64_t next_number;
    char log[SIM_LOG_LINES][SIM_LOG_LINE]; /* the last operations; a ring */
};

void sim_fs_init(struct sim_fs *sim);
void sim_fs_deinit(struct sim_fs *sim);

/* What a crash leaves of what was not synced. */
enum sim_loss {
    SIM_KILL,  /* a process died, the machine did not: nothing is lost, or on the disk, yet */
    SIM_DROP,  /* all of it is lost */
    SIM_CUT,   /* all is kept up to some moment; what was being written then is torn */
    SIM_FILES, /* each file up to a moment of its own, and torn; names: any of them */
    SIM_PAGES, /* each page or sector as it was at a moment of its own; names: any of them */
    SIM_HOLES, /* all is kept but a few pages or sectors */
    SIM_SIZES, /* the sizes are kept, and of the bytes what comes: zeros, garbage, old blocks */
    SIM_LOSSES
};
const char *sim_loss_name(enum sim_loss loss);

/* Makes `into`, which is not initialised, one of the states that such a crash may leave; `random`
   chooses. Nothing is open or locked in it. After all but SIM_KILL it is all on the disk. */
void sim_fs_crash(const struct sim_fs *sim, enum sim_loss loss, struct seeded *random,
                  struct sim_fs *into);

/* What a failed sync does on the machines that do it worst: of the pages that were not on the disk
   some are now, the others never will be, and all count as clean. Readers go on seeing them. */
void sim_file_lose(struct fl_file *base, struct seeded *random);

/* Bytes in use. */
uint64_t sim_fs_used(const struct sim_fs *sim);
/* Prints the last operations. */
void sim_fs_print_log(const struct sim_fs *sim, FILE *out);
/* All that readers see, names and bytes, as a number. */
uint64_t sim_fs_fingerprint(const struct sim_fs *sim);

#endif
