/*
 * Threads that work on one database while others watch it. Threads other than the test's own cannot
 * use cmocka's assertions: they report, and the test fails with the first report.
 */
#ifndef TESTS_API_TEAM_H
#define TESTS_API_TEAM_H

#include <pthread.h>
#include <stdatomic.h>

#include "api_fixture.h"

enum { TEAM_MEMBERS = 16, TEAM_WATCHDOG_SECONDS = 240 };

struct team {
    flowdb *db;
    const flowdb_config *config; /* that it was opened with */
    _Atomic bool stop;           /* the workers have ended: watchers end too */
    _Atomic uint64_t published;  /* for the test's own use: often, how far a writer has come */
    _Atomic uint64_t
        observed;         /* how often watchers looked: a test that saw nothing proves nothing */
    pthread_mutex_t lock; /* guards `failure` */
    char failure[512];
};

struct member {
    struct team *team;
    unsigned number; /* among its kind */
};

/*
 * Runs `workers` threads of `work` to their end, and meanwhile `watchers` threads of `watch`, which
 * return when team->stop is set. Asserts that nobody reported a failure. Takes longer than
 * TEAM_WATCHDOG_SECONDS: the program is killed, for it hangs.
 */
void team_run(struct team *team, struct api *api, unsigned workers, void (*work)(struct member *),
              unsigned watchers, void (*watch)(struct member *));

__attribute__((format(printf, 2, 3))) void team_fail(struct team *team, const char *format, ...);
bool team_has_failed(struct team *team);

/* False, and a report, when the call failed. */
#define team_ok(team, call) team_check((team), (call), #call)
bool team_check(struct team *team, flowdb_status status, const char *call);

/* FLOWDB_TEAM_WORK percent (100) of a number of rounds: less for slow builds, more to search. */
unsigned team_rounds(unsigned rounds);

#endif
