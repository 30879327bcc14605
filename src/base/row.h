/* What the engine stores: one version of a record, and a range tombstone. */
#ifndef FL_BASE_ROW_H
#define FL_BASE_ROW_H

#include <flowdb/flowdb.h>

#define FL_KEY_MAX ((size_t)65535)
#define FL_VALUE_MAX ((size_t)16 << 20)

/* Stored in logs and tables: part of the formats. 0 is no operation, so zeros never parse. */
enum fl_op {
    FL_OP_PUT = 1,
    FL_OP_DELETE = 2,      /* hides (key, ts) */
    FL_OP_DELETE_RANGE = 3 /* logs only: hides keys in [start, end) */
};

/* One version of (key, ts). The slices are borrowed from wherever the row was read. */
struct fl_row {
    flowdb_slice key;
    int64_t ts;
    uint64_t seq; /* commit order; a larger one is newer */
    int64_t expire_at;
    flowdb_slice value;
    enum fl_op op; /* FL_OP_PUT or FL_OP_DELETE */
};

/* Hides every row with a smaller seq, start <= key < end and ts_start <= ts <= ts_end. */
struct fl_range_tombstone {
    flowdb_slice start; /* empty: no bound */
    flowdb_slice end;   /* exclusive; empty: no bound */
    uint64_t seq;
    int64_t ts_start, ts_end; /* all of time for now; the formats have room for less */
};

/* What a read covers. The slices are borrowed by whoever is given bounds. */
enum fl_bound_kind { FL_BOUND_NONE, FL_BOUND_INCLUSIVE, FL_BOUND_EXCLUSIVE };

struct fl_bounds {
    flowdb_slice key_low; /* inclusive; empty: no bound */
    flowdb_slice key_high;
    enum fl_bound_kind key_high_kind;
    int64_t ts_low, ts_high; /* inclusive; low > high: nothing */
    bool reverse;
};

/* Is the key beyond the upper bound? */
bool fl_bounds_above(const struct fl_bounds *bounds, flowdb_slice key);
/* Is the key below the lower bound? */
bool fl_bounds_below(const struct fl_bounds *bounds, flowdb_slice key);

#endif
