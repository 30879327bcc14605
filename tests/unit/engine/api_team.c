#include "api_team.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct thread {
    struct member member;
    void (*run)(struct member *);
    pthread_t id;
};

static void *thread_main(void *argument) {
    struct thread *thread = argument;
    thread->run(&thread->member);
    return NULL;
}

static void start(struct thread *threads, unsigned count, struct team *team,
                  void (*run)(struct member *)) {
    for (unsigned i = 0; i < count; i++) {
        threads[i] = (struct thread){.member = {team, i}, .run = run};
        if (pthread_create(&threads[i].id, NULL, thread_main, &threads[i]) != 0)
            abort(); /* threads of this test are running: there is no way back */
    }
}

static void join(struct thread *threads, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i].id, NULL);
}

void team_run(struct team *team, struct api *api, unsigned workers, void (*work)(struct member *),
              unsigned watchers, void (*watch)(struct member *)) {
    struct thread working[TEAM_MEMBERS], watching[TEAM_MEMBERS];
    assert_true(workers <= TEAM_MEMBERS && watchers <= TEAM_MEMBERS);
    team->db = api->db;
    team->config = &api->config;
    atomic_store(&team->stop, false);
    pthread_mutex_init(&team->lock, NULL);
    team->failure[0] = '\0';
    alarm(TEAM_WATCHDOG_SECONDS);
    start(watching, watchers, team, watch);
    start(working, workers, team, work);
    join(working, workers);
    atomic_store(&team->stop, true);
    join(watching, watchers);
    alarm(0);
    pthread_mutex_destroy(&team->lock);
    if (team->failure[0] != '\0')
        fail_msg("%s", team->failure);
}

void team_fail(struct team *team, const char *format, ...) {
    va_list arguments;
    pthread_mutex_lock(&team->lock);
    if (team->failure[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(team->failure, sizeof team->failure, format, arguments);
        va_end(arguments);
    }
    pthread_mutex_unlock(&team->lock);
}

bool team_has_failed(struct team *team) {
    pthread_mutex_lock(&team->lock);
    bool failed = team->failure[0] != '\0';
    pthread_mutex_unlock(&team->lock);
    return failed;
}

bool team_check(struct team *team, flowdb_status status, const char *call) {
    if (status == FLOWDB_OK)
        return true;
    team_fail(team, "%s: %s, %s", call, flowdb_status_name(status), flowdb_last_error());
    return false;
}

unsigned team_rounds(unsigned rounds) {
    const char *text = getenv("FLOWDB_TEAM_WORK");
    unsigned percent = text == NULL ? 100 : (unsigned)strtoul(text, NULL, 10);
    unsigned result = rounds * percent / 100;
    return result == 0 ? 1 : result;
}
