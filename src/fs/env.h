/* The three things that come from outside, together: memory, files, time. */
#ifndef FL_FS_ENV_H
#define FL_FS_ENV_H

#include "base/alloc.h"
#include "base/clock.h"
#include "fs/fs.h"

/* Borrowed by everything that is opened with it; must outlive it. */
struct fl_env {
    const struct fl_alloc *alloc;
    const struct fl_clock *clock;
    struct fl_fs *fs;
};

#endif
