#include "json/json_guard.h"

#include <string.h>

/* As much as is looked at at once where nothing in it needs a closer look. */
#define BLOCK ((size_t)64)

/* What a block holds. Written so that compilers turn the loop into vector instructions. */
struct census {
    bool plain; /* ASCII without a backslash */
    uint8_t quotes;
};

static struct census count_block(const uint8_t *block) {
    uint8_t high = 0;
    uint8_t escapes = 0;
    uint8_t quotes = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        high |= block[i] & 0x80;
        escapes |= block[i] == '\\';
        quotes = (uint8_t)(quotes + (block[i] == '"'));
    }
    return (struct census){(high | escapes) == 0, quotes};
}

static bool refuse(struct fl_json_guard *guard, const char *error) {
    guard->error = error;
    return false;
}

static bool too_long(struct fl_json_guard *guard) {
    return refuse(guard, guard->in_string ? "a string is too long" : "a number is too long");
}

static bool lone_surrogate(struct fl_json_guard *guard) {
    return refuse(guard, "a \\u escape names half of a surrogate pair");
}

/* A byte inside an escape, behind its backslash. */
static bool step_escape(struct fl_json_guard *guard, uint8_t byte) {
    if (guard->escape == 1) {
        if (byte != 'u') {
            guard->escape = 0;
            return !guard->want_low || lone_surrogate(guard);
        }
        guard->escape = 5;
        guard->code = 0;
        return true;
    }
    uint8_t lower = byte | 0x20;
    bool digit = byte >= '0' && byte <= '9';
    if (!digit && (lower < 'a' || lower > 'f'))
        return refuse(guard, "a \\u escape needs four hex digits");
    guard->code = guard->code << 4 | (uint32_t)(digit ? byte - '0' : lower - 'a' + 10);
    if (--guard->escape > 1)
        return true;
    guard->escape = 0;
    bool high = guard->code >= 0xd800 && guard->code < 0xdc00;
    bool low = guard->code >= 0xdc00 && guard->code < 0xe000;
    if (low != guard->want_low)
        return lone_surrogate(guard);
    guard->want_low = high;
    return true;
}

static bool step_string(struct fl_json_guard *guard, uint8_t byte) {
    if (guard->escape > 0)
        return step_escape(guard, byte);
    if (byte == '\\') {
        guard->escape = 1;
        return true;
    }
    if (guard->want_low)
        return lone_surrogate(guard);
    if (byte == '"') {
        guard->in_string = false;
        guard->token = 0;
    }
    return true;
}

/* Between strings: whatever is no literal or number ends a token. */
static void step_outside(struct fl_json_guard *guard, uint8_t byte) {
    bool structural = byte <= ' ' || byte == ',' || byte == ':' || byte == '{' || byte == '}' ||
                      byte == '[' || byte == ']';
    if (structural)
        guard->token = 0;
    if (byte == '"') {
        guard->in_string = true;
        guard->token = 0;
    }
}

static bool step(struct fl_json_guard *guard, uint8_t byte) {
    guard->token++;
    if (guard->token > guard->max_token)
        return too_long(guard);
    if (!fl_utf8_step(&guard->utf8, byte))
        return refuse(guard, "the text is not UTF-8");
    if (guard->in_string)
        return step_string(guard, byte);
    step_outside(guard, byte);
    return true;
}

/*
 * A block at once, where it is plain and either lies in a string or has quotes. False where it has
 * to be gone through byte by byte. A string's length may come out some bytes off.
 */
static bool pass_block(struct fl_json_guard *guard, const uint8_t *block) {
    if (guard->escape > 0 || guard->want_low || guard->utf8.wanted > 0)
        return false;
    struct census census = count_block(block);
    if (!census.plain || (census.quotes == 0 && !guard->in_string))
        return false;
    if (census.quotes == 0) {
        guard->token += BLOCK;
    } else {
        const uint8_t *last = memrchr(block, '"', BLOCK);
        guard->in_string ^= (census.quotes & 1) != 0;
        guard->token = (size_t)(block + BLOCK - 1 - last);
    }
    guard->offset += BLOCK;
    return true;
}

bool fl_json_guard_feed(struct fl_json_guard *guard, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    const uint8_t *end = at + size;
    while (at < end) {
        const uint8_t *block_end = (size_t)(end - at) < BLOCK ? end : at + BLOCK;
        if (block_end == at + BLOCK && pass_block(guard, at)) {
            if (guard->token > guard->max_token)
                return too_long(guard);
            at = block_end;
            continue;
        }
        for (; at < block_end; at++, guard->offset++)
            if (!step(guard, *at))
                return false;
    }
    return true;
}

bool fl_json_guard_finish(struct fl_json_guard *guard) {
    return guard->utf8.wanted == 0 || refuse(guard, "the text ends inside a UTF-8 character");
}
