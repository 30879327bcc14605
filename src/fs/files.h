/* What is made of the calls in fs.h: paths, copies, links that fall back to copies. */
#ifndef FL_FS_FILES_H
#define FL_FS_FILES_H

#include "base/bytes.h"
#include "fs/env.h"

/* "DIR/NAME"; the caller releases it. NULL when memory is out, which is then recorded. */
char *fl_path_in(const struct fl_alloc *alloc, const char *dir, const char *name);
/* The directory that holds `path`: "." where it has no slash, "/" for what lies in the root. The
   caller releases it; NULL as above. */
char *fl_path_parent(const struct fl_alloc *alloc, const char *path);

/* Creates a directory and its missing parents, each entry durable. The path is written to while
   that goes on, and is as it was afterwards. */
flowdb_status fl_fs_create_dirs(struct fl_fs *fs, char *path);

/*
 * Makes the entries of the path and of all directories above it durable: they may be the work of a
 * process that died before it came to that. What this process may not read it did not create, nor
 * did one like it. The path is written to as above.
 */
flowdb_status fl_fs_sync_parents(struct fl_fs *fs, char *path);

/* Is the directory without entries? */
flowdb_status fl_fs_is_empty_dir(struct fl_fs *fs, const char *path, bool *empty);

/* Reads the whole file into an initialised buffer, whose contents it replaces. FLOWDB_CORRUPTION where
   it has more than `size_max` bytes. */
flowdb_status fl_fs_read_whole(const struct fl_env *env, const char *path, uint64_t size_max,
                               struct fl_buffer *into);

/*
 * Writes the first `size` bytes of an open file to a new one at `to`, and syncs it, but not its
 * directory entry. FLOWDB_IO_ERROR where the file ends before. What a failure leaves at `to` is
 * removed.
 */
flowdb_status fl_fs_copy_from(const struct fl_env *env, struct fl_file *from, uint64_t size,
                              const char *to);
/* A second name for the file or, where the file system can't, a synced copy of it. */
flowdb_status fl_fs_link_or_copy(const struct fl_env *env, const char *from, const char *to);

/* fl_fs_remove in the wake of a failure, whose sentence stays the thread's last error. */
void fl_fs_discard(struct fl_fs *fs, const char *path, flowdb_status status);

#endif
