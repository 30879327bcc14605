/*
 * How fast data has come in over the last minute, by protocol: the counters are looked at once a
 * second, and a rate is the difference between now and the oldest look. Who counts takes no lock.
 */
#ifndef FL_API_RATES_H
#define FL_API_RATES_H

#include "api/counters.h"

enum { FL_RATES_WINDOW_SECS = 60 };

struct fl_rates; /* every call is for any thread */

/* The counters must stay. NULL where memory or threads are out. */
struct fl_rates *fl_rates_create(const struct fl_counters *counters);
void fl_rates_destroy(struct fl_rates *rates); /* NULL is fine */

/* What has been added to the protocols' counts in the last `*secs` seconds: a minute and up to a second;
   less where the server is younger, but a second at the least. */
void fl_rates_read(struct fl_rates *rates, struct fl_protocol_counts added[FL_PROTOCOLS],
                   double *secs);

#endif
