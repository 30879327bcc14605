/*
 * The small world that the operations move in: 64 keys of awkward shapes, 24 timestamps, and values
 * that a number stands for. The space is small so that operations meet.
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include <flowdb/flowdb.h>

#include "random.h"

#define WORLD_KEYS 64
#define WORLD_TIMES 24
#define WORLD_KEY_BYTES 304
#define WORLD_VALUE_BYTES 65536

struct world_key {
    size_t size;
    uint8_t bytes[WORLD_KEY_BYTES];
};

struct world {
    struct world_key keys[WORLD_KEYS]; /* ascending */
    int64_t times[WORLD_TIMES];        /* ascending */
};

/* New keys and timestamps. */
void world_init(struct world *world, struct random *random);

flowdb_slice world_key(const struct world *world, unsigned key);

/* As memcmp, the shorter first where one is the other's beginning. */
int world_compare(flowdb_slice a, flowdb_slice b);

/*
 * A value is a number from which its bytes follow: decimal text, random bytes, a repeated byte,
 * nothing, or (rarely) tens of KB.
 */
uint64_t world_value_choose(struct random *random);
size_t world_value_size(uint64_t value);
/* Writes world_value_size(value) bytes, WORLD_VALUE_BYTES at the most. */
void world_value_write(uint64_t value, uint8_t *out);

/* A time of expiry: never, near `now` on either side, or far from it. */
int64_t world_expiry_choose(struct random *random, int64_t now);

/* Short text for messages: printable bytes as they are, others as \xNN, cut after 60 bytes. */
#define WORLD_TEXT_BYTES 256
const char *world_text(flowdb_slice slice, char text[WORLD_TEXT_BYTES]);

#endif
