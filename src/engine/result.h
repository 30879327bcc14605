/* Building a flowdb_result: records and their bytes in memory of their own. */
#ifndef FL_ENGINE_RESULT_H
#define FL_ENGINE_RESULT_H

#include "base/alloc.h"
#include "base/row.h"
#include "base/status.h"

/* One record; a single allocation. */
flowdb_status fl_result_one(const struct fl_alloc *alloc, const struct fl_row *row,
                            flowdb_result *result);

/* Many: records are appended one by one. */
struct fl_result_builder {
    const struct fl_alloc *alloc;
    struct fl_result_block *blocks; /* where the bytes are; the newest first */
    flowdb_record *records;
    size_t count, capacity;
};

void fl_result_builder_init(struct fl_result_builder *builder, const struct fl_alloc *alloc);
void fl_result_builder_deinit(struct fl_result_builder *builder);
/* Copies the row's bytes. */
flowdb_status fl_result_builder_add(struct fl_result_builder *builder, const struct fl_row *row);
/* Moves everything into the result; the builder is empty then. */
flowdb_status fl_result_builder_finish(struct fl_result_builder *builder, flowdb_result *result);

#endif
