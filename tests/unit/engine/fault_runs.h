/* What the tests of failing calls share: the faults, and the database that meets them. */
#ifndef TESTS_UNIT_ENGINE_FAULT_RUNS_H
#define TESTS_UNIT_ENGINE_FAULT_RUNS_H

#include "engine_fixture.h"

struct fault {
    enum fault_way way;
    flowdb_status status;
    bool persistent;
};

enum { FAULTS = 5 };
extern const struct fault faults[FAULTS];

/* Makes the seed, a closed database, with the engine's configuration. */
void prepare_seed(struct engine *engine);
/* The seed, opened, with two records more in memory, which make it SEED. */
void prepare(struct engine *engine);
#define SEED "a@1=t1 a@2=m2 b@1=t1 c@1=m1 d@5=t5"
/* The two records lost, and the second of them. */
#define SEED_WITHOUT_BOTH "a@1=t1 a@2=t2 b@1=t1 d@5=t5"
#define SEED_WITHOUT_LAST "a@1=t1 a@2=m2 b@1=t1 d@5=t5"

flowdb_record record_of(const char *key, int64_t ts, const char *value);

/* After a fault: does the engine take a write, and does it say so where it does not? The record that
   it wrote comes last in the database's contents. */
bool goes_on(struct engine *engine, const char *what);

/* What there may be; NULL ends it. */
enum { POSSIBLE_MAX = 5 };
/* One of them is there, and behind it what goes_on wrote, where `on`. */
void assert_one_of(struct engine *engine, const char *const possible[POSSIBLE_MAX], bool on,
                   const char *what);
void assert_contents(struct engine *engine, const char *expected, bool on, const char *what);

#endif
