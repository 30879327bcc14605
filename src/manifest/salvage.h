/* Reading a manifest of which parts may be lost. */
#ifndef FL_MANIFEST_SALVAGE_H
#define FL_MANIFEST_SALVAGE_H

#include "base/bytes.h"
#include "manifest/manifest.h"

struct fl_salvaged_manifest {
    struct fl_manifest_state state; /* what the whole edits add up to */
    struct fl_buffer removed;       /* u64 ids of the tables that they removed */
    uint64_t edits;                 /* that are whole */
    uint64_t damages;               /* that were reported: a header, or edits with others behind */
    bool torn;                      /* something that is no edit lies at the end */
};

/*
 * Reads manifest `id` in `dir` and tells of each damaged place. FLOWDB_OK whatever it found;
 * FLOWDB_NOT_FOUND where there is none; FLOWDB_UNSUPPORTED for a newer format; FLOWDB_IO_ERROR where
 * it cannot be read, which may pass. Deinit in any case.
 */
flowdb_status fl_manifest_salvage(const struct fl_env *env, const char *dir, uint64_t id,
                                  void (*damage)(void *context, uint64_t offset, const char *what),
                                  void *context, struct fl_salvaged_manifest *salvaged);
void fl_salvaged_manifest_deinit(struct fl_salvaged_manifest *salvaged);

#endif
