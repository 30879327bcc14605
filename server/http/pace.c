#include "http/pace.h"

/* Nobody knows when since the last look the phase began: it counts from now. */
static void begin_phase(struct fl_http_pace *pace, const struct fl_http_pace_limits *limits,
                        const struct fl_http_sight *sight) {
    pace->turn = sight->turn;
    pace->phase = sight->phase;
    pace->spent_us = 0;
    pace->begun = false;
    pace->credit_us = limits->patience_us;
    pace->count = sight->phase == FL_HTTP_AWAITED ? sight->received : sight->body;
    pace->looked_us = sight->now_us;
}

static enum fl_http_pace_verdict await(struct fl_http_pace *pace,
                                       const struct fl_http_pace_limits *limits,
                                       const struct fl_http_sight *sight, int64_t passed_us) {
    bool more = sight->received > pace->count;
    if (more && !pace->begun) {
        pace->begun = true;
        pace->spent_us = 0;
    } else {
        pace->spent_us += passed_us;
    }
    pace->count = sight->received;
    if (pace->begun)
        return pace->spent_us >= limits->patience_us ? FL_HTTP_PACE_SLOW_HEADERS
                                                     : FL_HTTP_PACE_FINE;
    return pace->spent_us >= limits->idle_us ? FL_HTTP_PACE_IDLE : FL_HTTP_PACE_FINE;
}

static enum fl_http_pace_verdict take_body(struct fl_http_pace *pace,
                                           const struct fl_http_pace_limits *limits,
                                           const struct fl_http_sight *sight, int64_t passed_us) {
    if (limits->body_bytes_per_sec == 0)
        return FL_HTTP_PACE_FINE;
    uint64_t bytes = sight->body > pace->count ? sight->body - pace->count : 0;
    /* More than this fills the credit anyhow; and the product stays in its range. */
    uint64_t most = UINT64_C(1) << 40;
    int64_t earned_us =
        (int64_t)((bytes < most ? bytes : most) * 1000000 / limits->body_bytes_per_sec);
    pace->count = sight->body;
    pace->credit_us += earned_us - passed_us;
    if (pace->credit_us > limits->patience_us)
        pace->credit_us = limits->patience_us;
    return pace->credit_us < 0 ? FL_HTTP_PACE_SLOW_BODY : FL_HTTP_PACE_FINE;
}

enum fl_http_pace_verdict fl_http_pace_look(struct fl_http_pace *pace,
                                            const struct fl_http_pace_limits *limits,
                                            const struct fl_http_sight *sight) {
    if (sight->turn != pace->turn || sight->phase != pace->phase) {
        begin_phase(pace, limits, sight);
        return FL_HTTP_PACE_FINE;
    }
    int64_t passed_us = sight->unread ? 0 : sight->now_us - pace->looked_us;
    pace->looked_us = sight->now_us;
    switch (sight->phase) {
    case FL_HTTP_AWAITED:
        return await(pace, limits, sight, passed_us);
    case FL_HTTP_BODY:
        return take_body(pace, limits, sight, passed_us);
    case FL_HTTP_ANSWERED:
        break;
    }
    return FL_HTTP_PACE_FINE;
}
