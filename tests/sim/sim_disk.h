/* The parts of which the simulated file system is made: bytes, changes, names. */
#ifndef TESTS_SIM_SIM_DISK_H
#define TESTS_SIM_SIM_DISK_H

#include "sim_fs.h"

/* Grown so that it holds one more; ends the program where memory is out. */
void *sim_grown(void *array, size_t count, size_t *room, size_t element);

/* ---- bytes */

void sim_bytes_copy(const struct sim_bytes *from, struct sim_bytes *into);
void sim_bytes_resize(struct sim_bytes *bytes, uint64_t size);
/* `used` bytes of data, then zeros up to `size`. */
void sim_bytes_write(struct sim_bytes *bytes, uint64_t offset, const uint8_t *data, size_t used,
                     uint64_t size);
/* Bytes beyond the end are zeros. */
void sim_bytes_read(const struct sim_bytes *bytes, uint64_t offset, uint8_t *into, size_t size);
void sim_bytes_apply(struct sim_bytes *bytes, const struct sim_change *change);

/* ---- changes */

void sim_node_record(struct sim_node *node, const struct sim_change *change);
void sim_node_forget(struct sim_node *node);
void sim_node_release(struct sim_node *node);

/* ---- names */

struct sim_entry *sim_directory_find(const struct sim_directory *directory, const char *name);
void sim_directory_set(struct sim_directory *directory, const char *name, size_t node);
void sim_directory_remove(struct sim_directory *directory, const char *name);
/* Does to the directories of the disk what was done to those that readers see. */
void sim_fs_apply_naming(struct sim_fs *sim, const struct sim_naming *naming);
size_t sim_fs_add_node(struct sim_fs *sim, bool is_directory);

#endif
