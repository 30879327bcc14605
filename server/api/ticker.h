/* A thread that does something again and again, at a steady interval, until it is ended. */
#ifndef FL_API_TICKER_H
#define FL_API_TICKER_H

#include <stdint.h>

struct fl_ticker;

/* Calls `tick` once an interval, the first time after one; a tick that takes longer than that makes
   those that it covers fall out. `name` is the thread's. NULL where memory or threads are out. */
struct fl_ticker *fl_ticker_start(const char *name, uint64_t interval_ms,
                                  void (*tick)(void *context), void *context);
/* Returns once the tick that is under way has ended; no other begins. NULL is fine. */
void fl_ticker_stop(struct fl_ticker *ticker);

#endif
