/* A JSON text in any pieces is read as it is in one: the same events, the same end, the same words.
   The first byte says how it is cut. */
#include <stdlib.h>

#include "json/json_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bound holds to within a block. */
enum { TOKEN_MAX = 300, TOKEN_SLACK = 64, ERROR_ROOM = 200 };

/* What a reading came to. */
struct reading {
    uint64_t hash;
    uint64_t events;
    unsigned depth; /* as the events' brackets say */
    enum fl_json_status status;
    char error[ERROR_ROOM];
};

static void mix(struct reading *reading, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        reading->hash = (reading->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
}

static bool on_event(void *context, const struct fl_json_event *event) {
    struct reading *reading = context;
    bool closes = event->type == FL_JSON_END_OBJECT || event->type == FL_JSON_END_ARRAY;
    bool opens = event->type == FL_JSON_BEGIN_OBJECT || event->type == FL_JSON_BEGIN_ARRAY;
    reading->depth -= closes;
    if (event->text.size > TOKEN_MAX + TOKEN_SLACK || event->depth != reading->depth)
        abort();
    reading->depth += opens;
    reading->events++;
    mix(reading, &event->type, sizeof event->type);
    mix(reading, event->text.data, event->text.size);
    return true;
}

static void read_text(const uint8_t *text, size_t size, size_t piece, struct reading *reading) {
    *reading = (struct reading){.hash = UINT64_C(0xcbf29ce484222325)};
    struct fl_json_reader *reader = fl_json_reader_create(TOKEN_MAX, on_event, reading);
    if (reader == NULL)
        abort();
    for (size_t at = 0; at < size && reading->status == FL_JSON_OK; at += piece) {
        size_t left = size - at;
        reading->status = fl_json_reader_feed(reader, text + at, left < piece ? left : piece);
    }
    if (reading->status == FL_JSON_OK)
        reading->status = fl_json_reader_finish(reader);
    if (reading->status == FL_JSON_MALFORMED)
        strncpy(reading->error, fl_json_reader_error(reader), ERROR_ROOM - 1);
    fl_json_reader_destroy(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reading whole, pieces;
    if (size == 0)
        return 0;
    read_text(data + 1, size - 1, size, &whole);
    read_text(data + 1, size - 1, (size_t)data[0] % 32 + 1, &pieces);
    if (whole.status != pieces.status)
        abort();
    /* Where it is refused, how much was reported before may differ. */
    if (whole.status == FL_JSON_OK &&
        (whole.hash != pieces.hash || whole.events != pieces.events || whole.depth != 0))
        abort();
    return 0;
}
