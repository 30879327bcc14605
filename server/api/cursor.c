#include "api/cursor.h"

#include <endian.h>

#include "api/precision.h"
#include "text/base64.h"

/* hash u64 | ts i64 | key, in big-endian order, in base64 with '-' and '_' and without padding */
enum { HASH_SIZE = 8, HEAD_SIZE = 16 };

/* FNV-1a: it tells a cursor for another question, and one that was damaged; it keeps no secret. */
static void hash_bytes(uint64_t *hash, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ at[i]) * 0x100000001b3U;
}

static void hash_number(uint64_t *hash, uint64_t number) {
    uint64_t bytes = htobe64(number);
    hash_bytes(hash, &bytes, sizeof bytes);
}

/* Of what chooses and orders the records, but not of their form, and of the place. */
static uint64_t hash_question(const struct fl_http_request *request, const void *place,
                              size_t size) {
    static const enum fl_http_param keys[] = {FL_PARAM_KEY, FL_PARAM_KEY_START, FL_PARAM_KEY_END,
                                              FL_PARAM_PREFIX};
    static const enum fl_http_param times[] = {FL_PARAM_TS_START, FL_PARAM_TS_END};
    const struct fl_http_params *params = &request->params;
    uint64_t hash = 0xcbf29ce484222325U;
    hash_bytes(&hash, request->route->path, strlen(request->route->path) + 1);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        flowdb_slice key = fl_http_params_bytes(params, keys[i]);
        hash_number(&hash, key.size);
        hash_bytes(&hash, key.data, key.size);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        bool given = fl_http_params_has(params, times[i]);
        hash_number(&hash, given);
        hash_number(&hash, (uint64_t)fl_http_params_number(params, times[i], 0));
        hash_number(&hash, given ? fl_precision_of(params) : 0);
    }
    hash_number(&hash, (uint64_t)fl_http_params_number(params, FL_PARAM_ORDER, 0));
    hash_bytes(&hash, place, size);
    return hash;
}

static void put_u64(uint8_t *to, uint64_t number) {
    uint64_t bytes = htobe64(number);
    memcpy(to, &bytes, sizeof bytes);
}

static uint64_t get_u64(const void *from) {
    uint64_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return be64toh(bytes);
}

void fl_cursor_write(const struct fl_http_request *request, const struct fl_cursor *place,
                     struct fl_output *output) {
    uint8_t head[HEAD_SIZE];
    struct fl_output bytes = {0};
    put_u64(head + HASH_SIZE, (uint64_t)place->ts);
    fl_output_append(&bytes, head, sizeof head);
    fl_output_append(&bytes, place->key.data, place->key.size);
    if (!bytes.failed) {
        put_u64((uint8_t *)bytes.data,
                hash_question(request, bytes.data + HASH_SIZE, bytes.size - HASH_SIZE));
        size_t start = output->size;
        fl_base64_encode(output, bytes.data, bytes.size);
        while (output->size > start && output->data[output->size - 1] == '=')
            output->size--;
        for (size_t i = start; i < output->size; i++)
            output->data[i] = output->data[i] == '+'   ? '-'
                              : output->data[i] == '/' ? '_'
                                                       : output->data[i];
    }
    output->failed = output->failed || bytes.failed;
    fl_output_deinit(&bytes);
}

/* Into `bytes`; false where it is none of the texts that fl_cursor_write makes. */
static bool decode(flowdb_slice text, struct fl_output *bytes) {
    struct fl_output plain = {0};
    fl_output_append(&plain, text.data, text.size);
    for (size_t i = 0; i < plain.size; i++) {
        char *at = &plain.data[i];
        bool other = *at == '+' || *at == '/' || *at == '=';
        *at = *at == '-' ? '+' : *at == '_' ? '/' : other ? '!' : *at;
    }
    while (plain.size % 4 != 0)
        fl_output_append(&plain, "=", 1);
    bool decoded = !plain.failed && fl_base64_decode(bytes, plain.data, plain.size);
    fl_output_deinit(&plain);
    return decoded && !bytes->failed && bytes->size > HEAD_SIZE;
}

bool fl_cursor_read(struct fl_http_request *request, struct fl_output *bytes,
                    struct fl_cursor *place, bool *given) {
    flowdb_slice text = fl_http_params_bytes(&request->params, FL_PARAM_CURSOR);
    *given = fl_http_params_has(&request->params, FL_PARAM_CURSOR);
    if (!*given)
        return true;
    if (!decode(text, bytes) ||
        get_u64(bytes->data) !=
            hash_question(request, bytes->data + HASH_SIZE, bytes->size - HASH_SIZE))
        return fl_http_reply_fail(
            &request->reply, 400,
            "cursor is none that was given out for this path with these filters and this order");
    place->ts = (int64_t)get_u64(bytes->data + HASH_SIZE);
    place->key = flowdb_bytes(bytes->data + HEAD_SIZE, bytes->size - HEAD_SIZE);
    return true;
}
