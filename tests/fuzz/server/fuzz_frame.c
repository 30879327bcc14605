/*
 * Binary frames and datagrams. A frame that is taken, written anew from its records, has the same bytes.
 * Of datagrams that come one after the other, signed, changed, too late or again, those are let in that
 * must be, and each once. The first byte chooses which of the two it is.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "engine/batch.h"
#include "fuzz/server/given.h"
#include "udp/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fl_limits limits = {.max_key_bytes = 40, .max_value_bytes = 300};

/* ------------------------------------------------------------------------------------- frames -- */

static void put_number(struct fl_output *output, uint64_t number, size_t size) {
    while (size-- > 0) {
        char byte = (char)(number >> size * 8);
        fl_output_append(output, &byte, 1);
    }
}

/* As a client would write the entry. */
static void write_record(struct fl_output *output, const uint8_t *entry) {
    flowdb_slice key = fl_entry_key(entry), value = fl_entry_value(entry);
    int64_t ts = fl_entry_ts(entry), expire_at = fl_entry_expire_at(entry);
    uint64_t life_us = (uint64_t)expire_at - (uint64_t)ts;
    expect(key.size > 0 && key.size <= limits.max_key_bytes);
    expect(value.size <= limits.max_value_bytes);
    put_number(output, key.size, 2);
    fl_output_append(output, key.data, key.size);
    put_number(output, (uint64_t)ts, 8);
    put_number(output, expire_at == FLOWDB_NEVER ? 0 : life_us / 1000000, 4);
    put_number(output, value.size, 2);
    fl_output_append(output, value.data, value.size);
}

static void check_records(const struct fl_frame_head *head, flowdb_slice frame,
                          const flowdb_batch *batch) {
    struct fl_output again = {0};
    expect(flowdb_batch_count(batch) == head->count);
    const uint8_t *entry = head->count > 0 ? batch->data + FL_WAL_FRAME_HEADER : NULL;
    bool never = true; /* a life that ends with the last microsecond there is counts as none */
    for (size_t i = 0; i < head->count; i++) {
        int64_t ts = fl_entry_ts(entry);
        never = never && (fl_entry_expire_at(entry) != FLOWDB_NEVER || ts < INT64_MAX / 2);
        write_record(&again, entry);
        entry += fl_entry_size(entry);
    }
    flowdb_slice records =
        flowdb_bytes((const char *)frame.data + head->size, frame.size - head->size);
    expect(!never || given_same(flowdb_bytes(again.data, again.size), records));
    fl_output_deinit(&again);
}

static void check_frame(flowdb_slice frame) {
    struct fl_frame_head head = {0};
    uint64_t expired = 0;
    enum fl_frame_fault fault = fl_frame_check(frame.data, frame.size, &limits, &head);
    expect(fault < FL_FRAME_FAULTS && strlen(fl_frame_fault_name(fault)) > 0);
    if (fault != FL_FRAME_FINE)
        return;
    flowdb_batch *batch = flowdb_batch_create();
    expect(batch != NULL &&
           fl_frame_add(frame.data, frame.size, &limits, 0, batch, &expired) == FLOWDB_OK);
    expect(expired <= head.count);
    check_records(&head, frame, batch);
    flowdb_batch_destroy(batch);
}

/* ---------------------------------------------------------------------------------- datagrams -- */

enum { DATAGRAMS = 48, DATAGRAM_MAX = 200 };
#define NOW INT64_C(1700000000000000)
#define SECOND INT64_C(1000000)

struct datagram {
    uint8_t bytes[DATAGRAM_MAX + 64];
    size_t size;
    bool taken;
};

struct session {
    struct fl_udp_gate gate;
    int64_t now_us;
    struct datagram sent[DATAGRAMS];
    size_t count;
};

static void sign(struct datagram *datagram, const char *key) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    memset(datagram->bytes + FL_FRAME_MAC, 0, FL_FRAME_MAC_SIZE);
    expect(HMAC(EVP_sha256(), key, (int)strlen(key), datagram->bytes, datagram->size, digest,
                NULL) != NULL);
    memcpy(datagram->bytes + FL_FRAME_MAC, digest, FL_FRAME_MAC_SIZE);
}

static void put_time(struct datagram *datagram, int64_t sent_at) {
    for (int i = 0; i < 8; i++)
        datagram->bytes[FL_FRAME_SENT_AT + i] = (uint8_t)((uint64_t)sent_at >> (56 - 8 * i));
}

/* A frame of version 2, sent some seconds from now; signed, and changed behind that, as `how` says. */
static void make_datagram(struct session *session, struct bytes *bytes, unsigned how,
                          struct datagram *datagram) {
    flowdb_slice records = bytes_slice(bytes, bytes_below(bytes, DATAGRAM_MAX));
    int64_t seconds = (int64_t)(int8_t)bytes_take(bytes, 1) * 3;
    *datagram = (struct datagram){.size = FL_FRAME_V2_HEADER + records.size,
                                  .bytes = {FL_FRAME_MAGIC, 2, 0, 0}};
    if (records.size > 0)
        memcpy(datagram->bytes + FL_FRAME_V2_HEADER, records.data, records.size);
    datagram->bytes[3] = (uint8_t)(how >> 4 & 3);
    put_time(datagram, session->now_us + seconds * SECOND);
    sign(datagram, (how & 8) == 0 ? session->gate.key : "another key");
}

static bool is_signed(const struct datagram *datagram, const char *key) {
    struct datagram copy = *datagram;
    sign(&copy, key);
    return memcmp(copy.bytes, datagram->bytes, datagram->size) == 0;
}

static unsigned expected(const struct session *session, const struct datagram *datagram) {
    struct fl_frame_head head = {0};
    if (datagram->size > DATAGRAM_MAX)
        return FL_UDP_OVERSIZE;
    enum fl_frame_fault fault = fl_frame_check(datagram->bytes, datagram->size, &limits, &head);
    if (fault != FL_FRAME_FINE)
        return fault;
    if (head.version == 1)
        return FL_UDP_UNSIGNED;
    if (!is_signed(datagram, session->gate.key))
        return FL_UDP_BAD_MAC;
    int64_t late = session->now_us - head.sent_at;
    if (late > 300 * SECOND || late < -300 * SECOND || head.sent_at < session->gate.started_us)
        return FL_UDP_STALE;
    for (size_t i = 0; i < session->count; i++) {
        const struct datagram *other = &session->sent[i];
        if (other->taken && other->size == datagram->size &&
            memcmp(other->bytes, datagram->bytes, datagram->size) == 0)
            return FL_UDP_REPLAY;
    }
    return FL_FRAME_FINE;
}

static void send_datagram(struct session *session, const struct datagram *datagram) {
    uint8_t *copy = malloc(datagram->size);
    expect(copy != NULL);
    memcpy(copy, datagram->bytes, datagram->size);
    unsigned wanted = expected(session, datagram);
    unsigned verdict = fl_udp_gate_check(&session->gate, copy, datagram->size, session->now_us);
    expect(verdict == wanted && strlen(fl_udp_drop_name(verdict)) > 0);
    free(copy);
    if (session->count == DATAGRAMS)
        return;
    session->sent[session->count] = *datagram;
    session->sent[session->count++].taken = verdict == FL_FRAME_FINE;
}

/* Another that was sent before, as it was or with one bit changed. */
static void send_again(struct session *session, struct bytes *bytes, unsigned how) {
    if (session->count == 0)
        return;
    struct datagram again = session->sent[bytes_below(bytes, (unsigned)session->count)];
    unsigned bit = (unsigned)bytes_take(bytes, 2);
    if ((how & 8) != 0)
        again.bytes[bit / 8 % again.size] ^= (uint8_t)(1U << bit % 8);
    send_datagram(session, &again);
}

static void check_datagrams(struct bytes *bytes) {
    static struct session session;
    session.count = 0;
    session.now_us = NOW;
    session.gate = (struct fl_udp_gate){.key = "datagram key",
                                        .max_packet_size = DATAGRAM_MAX,
                                        .limits = &limits,
                                        .started_us = NOW - 100 * SECOND};
    session.gate.replay.turned_at_us = NOW;
    while (bytes_left(bytes) > 0 && session.count < DATAGRAMS) {
        unsigned how = (unsigned)bytes_take(bytes, 1);
        struct datagram datagram;
        if (how % 4 == 0) {
            session.now_us += (int64_t)bytes_take(bytes, 1) * 5 * SECOND;
        } else if (how % 4 == 1) {
            send_again(&session, bytes, how);
        } else {
            make_datagram(&session, bytes, how, &datagram);
            send_datagram(&session, &datagram);
        }
    }
    fl_udp_gate_deinit(&session.gate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes bytes = {.at = data, .end = data + size};
    if (bytes_below(&bytes, 2) == 0)
        check_frame(bytes_slice(&bytes, size));
    else
        check_datagrams(&bytes);
    return 0;
}
