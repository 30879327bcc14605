#include "api/rates.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "api/ticker.h"

enum { LOOKS = FL_RATES_WINDOW_SECS + 1 };

struct look {
    int64_t at_us; /* monotonic */
    struct fl_protocol_counts counts[FL_PROTOCOLS];
};

struct fl_rates {
    const struct fl_counters *counters;
    struct fl_ticker *ticker;
    pthread_mutex_t lock; /* of all below */
    struct look looks[LOOKS];
    uint64_t look_count; /* ever; the last one lies at its remainder less one */
};

static struct look look_at(const struct fl_counters *counters) {
    struct look look;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    look.at_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    for (unsigned protocol = 0; protocol < FL_PROTOCOLS; protocol++)
        fl_counters_protocol(counters, (enum fl_protocol)protocol, &look.counts[protocol]);
    return look;
}

static void keep_look(void *context) {
    struct fl_rates *rates = context;
    struct look look = look_at(rates->counters);
    pthread_mutex_lock(&rates->lock);
    rates->looks[rates->look_count++ % LOOKS] = look;
    pthread_mutex_unlock(&rates->lock);
}

struct fl_rates *fl_rates_create(const struct fl_counters *counters) {
    struct fl_rates *rates = calloc(1, sizeof *rates);
    if (rates == NULL)
        return NULL;
    rates->counters = counters;
    pthread_mutex_init(&rates->lock, NULL);
    keep_look(rates);
    rates->ticker = fl_ticker_start("flowdb-rates", 1000, keep_look, rates);
    if (rates->ticker != NULL)
        return rates;
    pthread_mutex_destroy(&rates->lock);
    free(rates);
    return NULL;
}

void fl_rates_destroy(struct fl_rates *rates) {
    if (rates == NULL)
        return;
    fl_ticker_stop(rates->ticker);
    pthread_mutex_destroy(&rates->lock);
    free(rates);
}

void fl_rates_read(struct fl_rates *rates, struct fl_protocol_counts added[FL_PROTOCOLS],
                   double *secs) {
    pthread_mutex_lock(&rates->lock);
    uint64_t count = rates->look_count;
    struct look oldest = rates->looks[count < LOOKS ? 0 : count % LOOKS];
    pthread_mutex_unlock(&rates->lock);
    struct look now = look_at(rates->counters);
    for (unsigned protocol = 0; protocol < FL_PROTOCOLS; protocol++) {
        const struct fl_protocol_counts *to = &now.counts[protocol],
                                        *from = &oldest.counts[protocol];
        added[protocol] = (struct fl_protocol_counts){.records = to->records - from->records,
                                                      .bytes = to->bytes - from->bytes,
                                                      .expired = to->expired - from->expired,
                                                      .writes = to->writes - from->writes,
                                                      .rejected = to->rejected - from->rejected};
    }
    double passed = (double)(now.at_us - oldest.at_us) * 1e-6;
    *secs = passed > 1 ? passed : 1;
}
