/*
 * What each path does. A handler turns a request into calls of <flowdb/flowdb.h>, and what these
 * return into an answer; http/ has parsed the one and sends the other.
 */
#ifndef FL_API_API_H
#define FL_API_API_H

#include "api/rates.h"
#include "api/running.h"
#include "config/live.h"
#include "http/request.h"
#include "json/json_writer.h"
#include "udp/receiver.h"

/* The service's app. */
struct fl_api {
    flowdb *db;
    struct fl_counters *counters;
    struct fl_rates *rates;
    struct fl_running *running;
    int64_t default_ttl_us;                 /* the engine's; 0: none */
    const struct fl_udp_receiver *receiver; /* NULL: UDP is off */
    const struct fl_config *config;         /* as the server was started */
    struct fl_live_config *live;            /* as it is in force */
};

/* A write of so many bytes may take the database a while, more so where it slows writers down. */
#define FL_API_LARGE_WRITE (UINT64_C(1) << 20)

static inline const struct fl_api *fl_api_of(const struct fl_http_request *request) {
    return request->service->app;
}

static inline flowdb *fl_api_db(const struct fl_http_request *request) {
    return fl_api_of(request)->db;
}

extern const struct fl_http_route fl_api_routes[];
extern const size_t fl_api_route_count;

/* The dashboard, and what its files' names follow. */
#define FL_API_PAGE "/admin"
#define FL_API_PAGE_FILES "/admin/page/"
#define FL_API_PAGE_SLASH "/admin/"

extern const struct fl_http_handler fl_api_page;
extern const struct fl_http_handler fl_api_page_slash;
extern const struct fl_http_handler fl_api_health;
extern const struct fl_http_handler fl_api_ready;
extern const struct fl_http_handler fl_api_stats;
extern const struct fl_http_handler fl_api_metrics;
extern const struct fl_http_handler fl_api_description;
extern const struct fl_http_handler fl_api_write;
extern const struct fl_http_handler fl_api_write_binary;
extern const struct fl_http_handler fl_api_query;
extern const struct fl_http_handler fl_api_get_record;
extern const struct fl_http_handler fl_api_latest;
extern const struct fl_http_handler fl_api_keys;
extern const struct fl_http_handler fl_api_delete_record;
extern const struct fl_http_handler fl_api_delete_range;
extern const struct fl_http_handler fl_api_patch_record;
extern const struct fl_http_handler fl_api_flush;
extern const struct fl_http_handler fl_api_compact;
extern const struct fl_http_handler fl_api_gc;
extern const struct fl_http_handler fl_api_admin_delete;
extern const struct fl_http_handler fl_api_checkpoint_make;
extern const struct fl_http_handler fl_api_checkpoint_list;
extern const struct fl_http_handler fl_api_checkpoint_remove;
extern const struct fl_http_handler fl_api_series;
extern const struct fl_http_handler fl_api_tables;
extern const struct fl_http_handler fl_api_events;
extern const struct fl_http_handler fl_api_queries;
extern const struct fl_http_handler fl_api_cancel;
extern const struct fl_http_handler fl_api_config;
extern const struct fl_http_handler fl_api_ingest;

/*
 * The answer to a call of the engine that failed with `status`, on the thread that made it. What
 * the client did is told to the client; what the engine met (files, the system's errors) goes to
 * the log, and the client is told of its kind alone.
 */
void fl_api_fail(struct fl_http_request *request, flowdb_status status);
/* Counts and remembers a reply that refuses an input. The service's `answered`. */
void fl_api_count_answer(const struct fl_http_request *request);
/* Writes and takes *batch, also on failure. If it `tries`, FLOWDB_WOULD_WAIT: the batch stays, and is
   to be written by a thread that may wait. */
flowdb_status fl_api_commit(const struct fl_http_request *request, flowdb_batch **batch,
                            bool tries);
/* Deletes a record, and answers; false only if it `tries`: it would have to wait, nothing was done. */
bool fl_api_delete(struct fl_http_request *request, flowdb_slice key, int64_t ts, bool tries);
/* Logs the calling thread's last failure. */
void fl_api_log_failure(const struct fl_logger *logger, flowdb_status status);

/* A handler's `begin`: 400 where key= is empty. */
bool fl_api_require_key(struct fl_http_request *request);

#endif
