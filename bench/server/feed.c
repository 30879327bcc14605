#include "load.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANTS = 8, KEY_ROOM = 32, VALUE_ROOM = 16, RECORD_ROOM = 128, TS_DIGITS = 16 };

#define FIRST_TS INT64_C(1700000000000000)
#define STEP_US INT64_C(10000000)

struct body {
    char *bytes;
    size_t size;
    uint32_t *ts_at;            /* where each record's timestamp stands */
    char (*values)[VALUE_ROOM]; /* as texts */
};

struct feed {
    enum feed_form form;
    unsigned records, first_series, next;
    int64_t ts;
    struct body bodies[VARIANTS];
};

static void key_of(const struct feed *feed, unsigned record, char key[KEY_ROOM]) {
    snprintf(key, KEY_ROOM, "host%05u.cpu.usage", feed->first_series + record);
}

static void append(struct body *body, const void *bytes, size_t size) {
    memcpy(body->bytes + body->size, bytes, size);
    body->size += size;
}

static void append_u16(struct body *body, size_t value) {
    append(body, (unsigned char[]){(unsigned char)(value >> 8), (unsigned char)value}, 2);
}

static void append_binary(struct body *body, const char *key, const char *value, unsigned record) {
    static const unsigned char no_time[8 + 4];
    append_u16(body, strlen(key));
    append(body, key, strlen(key));
    body->ts_at[record] = (uint32_t)body->size;
    append(body, no_time, sizeof no_time);
    append_u16(body, strlen(value));
    append(body, value, strlen(value));
}

static void append_json(struct body *body, const char *key, const char *value, unsigned record) {
    body->size += (size_t)sprintf(body->bytes + body->size,
                                  "%s{\"key\":\"%s\",\"ts\":", record > 0 ? "," : "", key);
    body->ts_at[record] = (uint32_t)body->size;
    body->size +=
        (size_t)sprintf(body->bytes + body->size, "%0*d,\"value\":\"%s\"}", TS_DIGITS, 0, value);
}

static bool make_body(struct feed *feed, struct body *body, unsigned variant) {
    body->bytes = malloc((size_t)feed->records * RECORD_ROOM + RECORD_ROOM);
    body->ts_at = calloc(feed->records, sizeof *body->ts_at);
    body->values = calloc(feed->records, sizeof *body->values);
    if (body->bytes == NULL || body->ts_at == NULL || body->values == NULL)
        return false;
    if (feed->form == FEED_BINARY) {
        append(body, "\x54\x01", 2);
        append_u16(body, feed->records);
    } else {
        append(body, "{\"records\":[", 12);
    }
    for (unsigned i = 0; i < feed->records; i++) {
        char key[KEY_ROOM];
        /* Each series stays near its own level. */
        unsigned level = (feed->first_series + i) * 7919 % 9000, step = (variant * 31 + i) % 11;
        key_of(feed, i, key);
        snprintf(body->values[i], VALUE_ROOM, "%u.%02u", (level + step) / 100,
                 (level + step) % 100);
        (feed->form == FEED_BINARY ? append_binary : append_json)(body, key, body->values[i], i);
    }
    if (feed->form == FEED_JSON)
        append(body, "]}", 2);
    return true;
}

struct feed *feed_create(enum feed_form form, unsigned records, unsigned first_series) {
    struct feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    *feed = (struct feed){
        .form = form, .records = records, .first_series = first_series, .ts = FIRST_TS};
    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        if (!make_body(feed, &feed->bodies[variant], variant)) {
            feed_destroy(feed);
            return NULL;
        }
    }
    return feed;
}

void feed_destroy(struct feed *feed) {
    if (feed == NULL)
        return;
    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        free(feed->bodies[variant].bytes);
        free(feed->bodies[variant].ts_at);
        free(feed->bodies[variant].values);
    }
    free(feed);
}

static struct body *advance(struct feed *feed) {
    feed->ts += STEP_US;
    return &feed->bodies[feed->next++ % VARIANTS];
}

const char *feed_next(struct feed *feed, size_t *size) {
    struct body *body = advance(feed);
    char digits[24];
    uint64_t big = htobe64((uint64_t)feed->ts);
    snprintf(digits, sizeof digits, "%0*lld", TS_DIGITS, (long long)feed->ts);
    for (unsigned i = 0; i < feed->records; i++) {
        if (feed->form == FEED_BINARY)
            memcpy(body->bytes + body->ts_at[i], &big, sizeof big);
        else
            memcpy(body->bytes + body->ts_at[i], digits, TS_DIGITS);
    }
    *size = body->size;
    return body->bytes;
}

flowdb_status feed_next_batch(struct feed *feed, flowdb_batch *batch) {
    const struct body *body = advance(feed);
    flowdb_status status = FLOWDB_OK;
    flowdb_batch_clear(batch);
    for (unsigned i = 0; i < feed->records && status == FLOWDB_OK; i++) {
        /* The binary body has the key right before its timestamp. */
        const char *ts = body->bytes + body->ts_at[i];
        size_t key_size = strlen("host00000.cpu.usage");
        status = flowdb_batch_put(batch, flowdb_bytes(ts - key_size, key_size), feed->ts,
                                  FLOWDB_NEVER, flowdb_str(body->values[i]));
    }
    return status;
}
