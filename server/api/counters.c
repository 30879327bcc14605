#include "api/counters.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "text/utf8.h"

struct protocol {
    _Atomic uint64_t records, bytes, expired, writes, rejected;
};

struct fl_counters {
    struct protocol protocols[FL_PROTOCOLS];
    _Atomic uint64_t unit_warnings;
    pthread_mutex_t lock; /* of all below */
    struct fl_rejection rejections[FL_REJECTIONS];
    uint64_t rejection_count; /* ever; the last one lies at its remainder less one */
};

const char *fl_protocol_name(enum fl_protocol protocol) {
    static const char *const names[FL_PROTOCOLS] = {[FL_PROTOCOL_JSON] = "http_json",
                                                    [FL_PROTOCOL_BINARY] = "http_binary",
                                                    [FL_PROTOCOL_UDP] = "udp"};
    return names[protocol];
}

struct fl_counters *fl_counters_create(void) {
    struct fl_counters *counters = calloc(1, sizeof *counters);
    if (counters != NULL && pthread_mutex_init(&counters->lock, NULL) != 0) {
        free(counters);
        return NULL;
    }
    return counters;
}

void fl_counters_destroy(struct fl_counters *counters) {
    if (counters == NULL)
        return;
    pthread_mutex_destroy(&counters->lock);
    free(counters);
}

static void add(_Atomic uint64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void fl_counters_add_written(struct fl_counters *counters, enum fl_protocol protocol,
                             const struct fl_written *written) {
    struct protocol *to = &counters->protocols[protocol];
    add(&to->records, written->records);
    add(&to->bytes, written->bytes);
    add(&to->writes, 1);
    if (written->expired > 0)
        add(&to->expired, written->expired);
}

void fl_counters_add_unit_warning(struct fl_counters *counters) {
    add(&counters->unit_warnings, 1);
}

/* ---------------------------------------------------------------------------------- refused -- */

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Copies whole characters, and what would end a line as '?'. */
static void copy_reason(char *to, const char *reason) {
    struct fl_utf8 utf8 = {0};
    size_t whole = 0;
    for (size_t i = 0; i < FL_REJECTION_REASON - 1 && reason[i] != '\0'; i++) {
        uint8_t byte = (uint8_t)reason[i];
        if (!fl_utf8_step(&utf8, byte))
            break;
        to[i] = byte < ' ' || byte == 0x7f ? '?' : reason[i];
        if (utf8.wanted == 0)
            whole = i + 1;
    }
    to[whole] = '\0';
}

void fl_counters_add_rejected(struct fl_counters *counters, enum fl_protocol protocol,
                              const char *reason, uint64_t count) {
    add(&counters->protocols[protocol].rejected, count);
    pthread_mutex_lock(&counters->lock);
    struct fl_rejection *rejection =
        &counters->rejections[counters->rejection_count++ % FL_REJECTIONS];
    rejection->at_us = now_us();
    rejection->protocol = protocol;
    copy_reason(rejection->reason, reason);
    pthread_mutex_unlock(&counters->lock);
}

size_t fl_counters_rejections(struct fl_counters *counters,
                              struct fl_rejection rejections[FL_REJECTIONS]) {
    pthread_mutex_lock(&counters->lock);
    uint64_t ever = counters->rejection_count;
    size_t count = ever < FL_REJECTIONS ? (size_t)ever : FL_REJECTIONS;
    for (size_t i = 0; i < count; i++)
        rejections[i] = counters->rejections[(ever - 1 - i) % FL_REJECTIONS];
    pthread_mutex_unlock(&counters->lock);
    return count;
}

/* ------------------------------------------------------------------------------------ reads -- */

void fl_counters_protocol(const struct fl_counters *counters, enum fl_protocol protocol,
                          struct fl_protocol_counts *counts) {
    const struct protocol *from = &counters->protocols[protocol];
    *counts = (struct fl_protocol_counts){.records = get(&from->records),
                                          .bytes = get(&from->bytes),
                                          .expired = get(&from->expired),
                                          .writes = get(&from->writes),
                                          .rejected = get(&from->rejected)};
}

uint64_t fl_counters_unit_warnings(const struct fl_counters *counters) {
    return get(&counters->unit_warnings);
}
