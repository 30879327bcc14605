/*
 * Times in the unit that a request names with `precision=`: microseconds in the database, whatever a
 * client counts in.
 *
 * A coarser unit takes the microseconds that fall into it along: a time is answered rounded down, and
 * a range that ends with second 5 ends with the last microsecond of second 5, so that a record lies in
 * a range exactly if the time it is answered with does.
 */
#ifndef FL_API_PRECISION_H
#define FL_API_PRECISION_H

#include <flowdb/flowdb.h>

#include "http/params.h"

/* In the order of the parameter's choices. */
enum fl_precision { FL_PRECISION_S, FL_PRECISION_MS, FL_PRECISION_US, FL_PRECISION_NS };

/* What the request names; microseconds where it names nothing. */
enum fl_precision fl_precision_of(const struct fl_http_params *params);
/* "s", "ms", "us", "ns". */
const char *fl_precision_name(enum fl_precision precision);

/* Each gives microseconds; false where they are beyond an int64. Nanoseconds are rounded down. */
bool fl_time_read(enum fl_precision precision, int64_t time, int64_t *us);
/* The first and the last microsecond of a range whose ends are inclusive. */
bool fl_time_read_start(enum fl_precision precision, int64_t time, int64_t *us);
bool fl_time_read_end(enum fl_precision precision, int64_t time, int64_t *us);
/* As fl_time_read, but FLOWDB_NEVER stays what it is. */
bool fl_time_read_expiry(enum fl_precision precision, int64_t time, int64_t *us);

/* Rounded down; nanoseconds that an int64 does not hold become the nearest that it does. */
int64_t fl_time_write(enum fl_precision precision, int64_t us);
/* The same, but FLOWDB_NEVER stays what it is, and nothing else becomes it. */
int64_t fl_time_write_expiry(enum fl_precision precision, int64_t us);

/*
 * What a number that was sent as microseconds looks like: FL_PRECISION_US, unless it is a time from
 * 2010 to 2100 in another unit. As microseconds those are minutes of 1970, or lie after 40,000, so that
 * neither measured times nor the small numbers of tests are mistaken.
 */
enum fl_precision fl_time_guess(int64_t us);

/*
 * The parameter's time in microseconds, or `otherwise` where it was not given. `read` is one of the
 * above. False, with a 400, where it is beyond an int64.
 */
bool fl_time_param(const struct fl_http_params *params, enum fl_http_param param,
                   bool (*read)(enum fl_precision, int64_t, int64_t *), int64_t otherwise,
                   int64_t *us, struct fl_http_reply *reply);

#endif
