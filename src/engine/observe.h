/* What is gathered from all of the engine for those who watch it. */
#ifndef FL_ENGINE_OBSERVE_H
#define FL_ENGINE_OBSERVE_H

#include "engine/compaction.h"

/* ---- engine_health.c ---- */

/* *free_bytes is UINT64_MAX where the file system does not tell. */
void fl_engine_judge_health(flowdb *db, flowdb_health *health, uint64_t *free_bytes,
                            uint64_t *flush_failures);

/* ---- engine_stats.c ---- */

void fl_engine_gather_stats(flowdb *db, flowdb_stats *out);

/* ---- engine_tables_list.c ---- */

/* The time window that compaction counts the table to. */
struct fl_window_id fl_engine_window(const flowdb *db, const struct fl_table *table,
                                     int64_t now_us);

#endif
