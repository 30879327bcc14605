/*
 * The checkpoints of a database: directories under data_dir/checkpoints. Names never lead out of there:
 * each is one component, looked up without following symbolic links.
 */
#ifndef FL_API_CHECKPOINT_DIR_H
#define FL_API_CHECKPOINT_DIR_H

#include <flowdb/flowdb.h>

enum { FL_CHECKPOINT_NAME = 100 };

struct fl_checkpoint {
    char name[FL_CHECKPOINT_NAME + 1];
    int64_t made_us; /* since the Unix epoch */
    uint64_t bytes;  /* of its files, those too that it shares with the database */
    uint64_t files;
};

enum fl_checkpoint_status {
    FL_CHECKPOINT_OK,
    FL_CHECKPOINT_ABSENT, /* there is none of the name */
    FL_CHECKPOINT_IN_USE, /* some process has it open */
    FL_CHECKPOINT_FAILED  /* errno says why */
};

/* Letters, digits, '.', '_' and '-', not beginning with a dot, up to FL_CHECKPOINT_NAME; and not the
   name that the engine gives to one that is being made. */
bool fl_checkpoint_name_valid(const char *name);

/* data_dir/checkpoints, or -1 where there is none; to be closed. */
int fl_checkpoint_dir_open(const char *data_dir);

/* What is at `name`. */
enum fl_checkpoint_status fl_checkpoint_look(int dir, const char *name,
                                             struct fl_checkpoint *checkpoint);
/* Removes it. What a crash leaves of one that was being removed goes with the next. */
enum fl_checkpoint_status fl_checkpoint_remove(int dir, const char *name);

#endif
