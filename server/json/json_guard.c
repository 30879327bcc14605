#include "json/json_guard.h"

#include <string.h>

#define REPEATED(byte) (0x0101010101010101U * (byte))
#define HIGH_BITS REPEATED(0x80U)

/* Sets the high bit of the lowest byte of `word` that is zero, and of none below it. */
static uint64_t zero_bytes(uint64_t word) {
    return (word - REPEATED(1U)) & ~word & HIGH_BITS;
}

/* How many bytes at `at` are ASCII, and neither a quote nor a backslash; whole words only. */
static size_t plain_run(const uint8_t *at, const uint8_t *end) {
    const uint8_t *start = at;
    uint64_t word;
    for (; (size_t)(end - at) >= sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        if (((word & HIGH_BITS) | zero_bytes(word ^ REPEATED((uint64_t)'"')) |
             zero_bytes(word ^ REPEATED((uint64_t)'\\'))) != 0)
            break;
    }
    return (size_t)(at - start);
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

bool fl_json_guard_feed(struct fl_json_guard *guard, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    const uint8_t *end = at + size;
    while (at < end) {
        bool plain_follows =
            guard->in_string && guard->escape == 0 && !guard->want_low && guard->utf8.wanted == 0;
        size_t plain = plain_follows ? plain_run(at, end) : 0;
        at += plain;
        guard->offset += plain;
        guard->token += plain;
        if (at == end)
            break;
        if (!step(guard, *at))
            return false;
        at++;
        guard->offset++;
    }
    return guard->token <= guard->max_token || too_long(guard);
}

bool fl_json_guard_finish(struct fl_json_guard *guard) {
    return guard->utf8.wanted == 0 || refuse(guard, "the text ends inside a UTF-8 character");
}
