/* A batch of writes; its buffer already has the form of a log frame. */
#ifndef FL_ENGINE_BATCH_H
#define FL_ENGINE_BATCH_H

#include "base/entry.h"
#include "engine/engine.h"

struct flowdb_batch {
    const struct fl_alloc *alloc;
    uint8_t *data; /* FL_WAL_FRAME_HEADER bytes of room, then the entries; NULL while empty */
    size_t size;   /* with that room */
    size_t capacity;
    uint64_t *hashes; /* of each entry's key */
    uint32_t count;
    uint32_t puts; /* of them */
    uint32_t hash_capacity;
};

/* flowdb_batch_create with an allocator of the caller's. */
flowdb_batch *fl_batch_create(const struct fl_alloc *alloc);

/* The bounds that hold for every write; the sentences name what is wrong. */
flowdb_status fl_check_key(flowdb_slice key);
flowdb_status fl_check_value(flowdb_slice value);
flowdb_status fl_check_range(flowdb_slice start, flowdb_slice end);

#endif
