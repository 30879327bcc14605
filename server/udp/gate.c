#include "udp/gate.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "text/secret.h"

enum { STALE_SECS = 300 };

const char *fl_udp_drop_name(unsigned drop) {
    switch (drop) {
    case FL_UDP_UNSIGNED:
        return "unsigned";
    case FL_UDP_BAD_MAC:
        return "bad_mac";
    case FL_UDP_STALE:
        return "stale";
    case FL_UDP_REPLAY:
        return "replay";
    case FL_UDP_OVERSIZE:
        return "oversize";
    case FL_UDP_ENGINE:
        return "engine";
    case FL_UDP_KERNEL:
        return "kernel";
    default:
        return fl_frame_fault_name((enum fl_frame_fault)drop);
    }
}

void fl_udp_gate_deinit(struct fl_udp_gate *gate) {
    fl_replay_deinit(&gate->replay);
}

/* The mac is over the frame with the mac's own bytes zeroed; `frame` is left so. */
static bool has_right_mac(const struct fl_udp_gate *gate, uint8_t *frame, size_t size,
                          uint8_t mac[FL_FRAME_MAC_SIZE]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    const char *key = gate->key;
    memcpy(mac, frame + FL_FRAME_MAC, FL_FRAME_MAC_SIZE);
    memset(frame + FL_FRAME_MAC, 0, FL_FRAME_MAC_SIZE);
    return HMAC(EVP_sha256(), key, (int)strlen(key), frame, size, digest, NULL) != NULL &&
           fl_secret_same(digest, mac, FL_FRAME_MAC_SIZE) != 0;
}

/* FL_FRAME_FINE, or why the frame is not taken. Where no key is set all are. */
static unsigned authenticate(struct fl_udp_gate *gate, const struct fl_frame_head *head,
                             uint8_t *frame, size_t size, int64_t now_us) {
    uint8_t mac[FL_FRAME_MAC_SIZE];
    if (gate->key[0] == '\0')
        return FL_FRAME_FINE;
    if (head->version != 2)
        return FL_UDP_UNSIGNED;
    if (!has_right_mac(gate, frame, size, mac))
        return FL_UDP_BAD_MAC;
    const int64_t most = (int64_t)STALE_SECS * 1000000;
    if (head->sent_at < gate->started_us || head->sent_at < now_us - most ||
        head->sent_at > now_us + most)
        return FL_UDP_STALE;
    return fl_replay_check(&gate->replay, mac, now_us) == FL_REPLAY_NEW ? (unsigned)FL_FRAME_FINE
                                                                        : (unsigned)FL_UDP_REPLAY;
}

unsigned fl_udp_gate_check(struct fl_udp_gate *gate, uint8_t *datagram, size_t size,
                           int64_t now_us) {
    struct fl_frame_head head = {0};
    if (size > gate->max_packet_size)
        return FL_UDP_OVERSIZE;
    unsigned why = fl_frame_check(datagram, size, gate->limits, &head);
    return why == FL_FRAME_FINE ? authenticate(gate, &head, datagram, size, now_us) : why;
}
