/*
 * Which datagrams were taken before: each authenticated frame counts once, so that nobody who has
 * recorded one can send it again and undo a correction.
 *
 * Codes are kept for 600 to 1,200 seconds, in two sets of which the older is emptied every 600: twice
 * as long as a frame's own time may be off either way. One thread.
 */
#ifndef FL_UDP_REPLAY_H
#define FL_UDP_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FL_REPLAY_CODE = 16, FL_REPLAY_MAX = 1 << 22 /* codes in one set: 64 MiB */ };

struct fl_replay_set {
    uint8_t (*codes)[FL_REPLAY_CODE]; /* open addressing; all zeros: free */
    size_t count, capacity;           /* capacity: a power of two, or 0 */
    bool has_zeros;                   /* the code that is all zeros was seen */
};

struct fl_replay {
    struct fl_replay_set now, before;
    int64_t turned_at_us;
};

enum fl_replay_verdict {
    FL_REPLAY_NEW, /* and remembered */
    FL_REPLAY_SEEN,
    FL_REPLAY_FULL /* it cannot be remembered, so it must not be taken */
};

void fl_replay_deinit(struct fl_replay *replay); /* zero-initialised is a good start */
enum fl_replay_verdict fl_replay_check(struct fl_replay *replay, const uint8_t code[FL_REPLAY_CODE],
                                       int64_t now_us);

#endif
