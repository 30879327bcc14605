/*
 * What a write brings, noted record by record: what its answer tells beyond that it was done.
 */
#ifndef FL_API_TALLY_H
#define FL_API_TALLY_H

#include "api/api.h"
#include "api/precision.h"

struct fl_tally {
    enum fl_precision precision; /* that times are read in */
    bool named;                  /* the request names it: then nothing looks wrong */
    int64_t now_us, default_ttl_us;

    size_t records;
    uint64_t expired;       /* whose expiry is past already: stored, and never to be seen */
    size_t suspect;         /* the first record whose ts looks like another unit's, ... */
    enum fl_precision unit; /* ... and which; FL_PRECISION_US: none does */
};

void fl_tally_init(struct fl_tally *tally, const struct fl_http_request *request);
/* Forgets the records. */
void fl_tally_clear(struct fl_tally *tally);
void fl_tally_add(struct fl_tally *tally, const flowdb_record *record);
/* 200 {"written":3}, with "expired" and "warning" where there is something to say, and counts it all. */
void fl_tally_reply(const struct fl_tally *tally, struct fl_http_request *request,
                    enum fl_protocol protocol);

#endif
