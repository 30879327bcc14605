/*
 * Bodies of writes: JSON, and what is under gzip. In any pieces they come to the same records, or to a
 * refusal; no limit is passed; and the records, written out as an export has them, are read as the same.
 * The first byte chooses the kind and the unit of times, the second how it is cut.
 */
#include "api/record_reader.h"
#include "api/record_writer.h"
#include "fuzz/server/given.h"
#include "http/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INFLATED_MAX = 3000 };

static const struct fl_limits limits = {
    .max_batch_records = 8, .max_key_bytes = 20, .max_value_bytes = 58};

/* What a body comes to. */
struct records {
    enum fl_precision precision;
    struct fl_output bytes; /* each record's sizes, times, key and value */
    struct fl_output json;  /* all of them as an export */
    struct fl_record_writer writer;
    size_t count;
    uint64_t passed; /* bytes that were read */
    struct fl_http_reply reply;
    struct fl_record_reader *reader;
};

static void add_record(struct records *records, const flowdb_record *record) {
    const uint64_t numbers[] = {record->key.size, record->value.size, (uint64_t)record->ts,
                                (uint64_t)record->expire_at};
    expect(record->key.size > 0 && record->key.size <= limits.max_key_bytes);
    expect(record->value.size <= limits.max_value_bytes);
    fl_output_append(&records->bytes, numbers, sizeof numbers);
    fl_output_append(&records->bytes, record->key.data, record->key.size);
    fl_output_append(&records->bytes, record->value.data, record->value.size);
    fl_record_writer_add(&records->writer, record, &records->json);
    records->count++;
    expect(records->count <= limits.max_batch_records);
}

static bool take_record(void *context, const struct fl_record_fields *fields,
                        const struct fl_record_place *place, struct fl_http_reply *reply) {
    struct records *records = context;
    flowdb_record record;
    if (!fl_record_fields_finish(fields, place, records->precision, &record, reply))
        return false;
    add_record(records, &record);
    return true;
}

static void begin_records(struct records *records) {
    fl_record_writer_deinit(&records->writer);
    records->writer = (struct fl_record_writer){.text = true, .precision = FL_PRECISION_US};
    records->count = 0;
    fl_output_clear(&records->bytes);
    fl_output_clear(&records->json);
    fl_record_writer_begin(&records->writer, &records->json);
}

static void restart_list(void *context) {
    begin_records(context);
}

static bool feed(void *context, const void *bytes, size_t size) {
    struct records *records = context;
    records->passed += size;
    return fl_record_reader_feed(records->reader, bytes, size, &records->reply);
}

static void open_records(struct records *records, enum fl_precision precision, bool list) {
    const struct fl_record_sink sink = {list, records, take_record, restart_list};
    *records = (struct records){.precision = precision};
    begin_records(records);
    records->reader = fl_record_reader_create(&sink, &limits);
    expect(records->reader != NULL);
}

static void close_records(struct records *records) {
    fl_record_reader_destroy(records->reader);
    fl_record_writer_deinit(&records->writer);
    fl_http_reply_deinit(&records->reply);
    fl_output_deinit(&records->bytes);
    fl_output_deinit(&records->json);
}

/* The end of the body. False where it is refused. */
static bool finish_records(struct records *records, bool fed) {
    bool good = fed && fl_record_reader_finish(records->reader, &records->reply);
    if (!good)
        given_check_refusal(&records->reply);
    else
        fl_record_writer_end(&records->writer, (flowdb_slice){0}, &records->json);
    return good;
}

static bool read_json(struct records *records, flowdb_slice text, size_t piece) {
    bool good = true;
    for (size_t at = 0; at < text.size && good; at += piece)
        good = feed(records, (const char *)text.data + at,
                    text.size - at < piece ? text.size - at : piece);
    return finish_records(records, good);
}

static bool same_records(const struct records *one, const struct records *other) {
    return given_same(flowdb_bytes(one->bytes.data, one->bytes.size),
                      flowdb_bytes(other->bytes.data, other->bytes.size));
}

static void check_json(flowdb_slice text, enum fl_precision precision, bool list, size_t piece) {
    struct records whole, pieces, again;
    open_records(&whole, precision, list);
    open_records(&pieces, precision, list);
    open_records(&again, FL_PRECISION_US, true);
    bool good = read_json(&whole, text, text.size + 1);
    expect(read_json(&pieces, text, piece) == good);
    if (good) {
        expect(same_records(&whole, &pieces));
        expect(read_json(&again, flowdb_bytes(whole.json.data, whole.json.size), piece));
        expect(same_records(&whole, &again));
    }
    close_records(&whole);
    close_records(&pieces);
    close_records(&again);
}

/* ---------------------------------------------------------------------------------------- gzip -- */

static enum fl_gunzip_status inflate_all(struct records *records, flowdb_slice packed, size_t piece,
                                         bool *complete) {
    struct fl_gunzip *gunzip = fl_gunzip_create(INFLATED_MAX);
    enum fl_gunzip_status status = FL_GUNZIP_OK;
    expect(gunzip != NULL);
    for (size_t at = 0; at < packed.size && status == FL_GUNZIP_OK; at += piece) {
        size_t left = packed.size - at;
        status = fl_gunzip_feed(gunzip, (const char *)packed.data + at, left < piece ? left : piece,
                                feed, records);
    }
    *complete = fl_gunzip_complete(gunzip);
    fl_gunzip_destroy(gunzip);
    return status;
}

static void check_gzip(flowdb_slice packed, enum fl_precision precision, size_t piece) {
    struct records whole, pieces;
    bool complete, other;
    open_records(&whole, precision, true);
    open_records(&pieces, precision, true);
    enum fl_gunzip_status status = inflate_all(&whole, packed, packed.size + 1, &complete);
    enum fl_gunzip_status second = inflate_all(&pieces, packed, piece, &other);
    expect(whole.passed <= INFLATED_MAX && pieces.passed <= INFLATED_MAX);
    expect((status == FL_GUNZIP_OK) == (second == FL_GUNZIP_OK));
    if (status == FL_GUNZIP_OK) {
        expect(complete == other && whole.passed == pieces.passed);
        expect(finish_records(&whole, true) == finish_records(&pieces, true));
        expect(whole.reply.status != 0 || same_records(&whole, &pieces));
    }
    close_records(&whole);
    close_records(&pieces);
}

/* Compressed here, so that the checksum is right, whatever is in it. */
static void check_packed(flowdb_slice text, enum fl_precision precision, size_t piece) {
    struct fl_output packed = {0};
    struct records plain, unpacked;
    struct fl_gzip *gzip = fl_gzip_create();
    bool complete;
    size_t first = text.size < piece ? text.size : piece;
    expect(gzip != NULL && fl_gzip_append(gzip, text.data, first, false, &packed));
    expect(fl_gzip_append(gzip, (const char *)text.data + first, text.size - first, true, &packed));
    fl_gzip_destroy(gzip);
    flowdb_slice bytes = flowdb_bytes(packed.data, packed.size);
    open_records(&plain, precision, true);
    open_records(&unpacked, precision, true);
    bool good = read_json(&plain, text, text.size + 1);
    enum fl_gunzip_status status = inflate_all(&unpacked, bytes, piece, &complete);
    expect(unpacked.passed <= INFLATED_MAX && status != FL_GUNZIP_MALFORMED);
    if (text.size > INFLATED_MAX)
        expect(status != FL_GUNZIP_OK);
    else if (good)
        expect(status == FL_GUNZIP_OK && complete && finish_records(&unpacked, true) &&
               same_records(&plain, &unpacked));
    fl_output_deinit(&packed);
    close_records(&plain);
    close_records(&unpacked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = {.at = data, .end = data + size};
    unsigned kind = (unsigned)bytes_take(&bytes, 1);
    size_t piece = 1 + bytes_below(&bytes, 48);
    enum fl_precision precision = (enum fl_precision)(kind >> 3 & 3);
    flowdb_slice body = bytes_slice(&bytes, size);
    switch (kind % 8) {
    case 0:
        check_gzip(body, precision, piece);
        break;
    case 1:
        check_packed(body, precision, piece);
        break;
    default:
        check_json(body, precision, kind % 8 < 6, piece);
    }
    return 0;
}
