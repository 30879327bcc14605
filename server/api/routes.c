#include "api/api.h"
#include "api/reading.h"

#define BIT FL_PARAM_BIT
#define KEY_RANGE (BIT(FL_PARAM_KEY_START) | BIT(FL_PARAM_KEY_END))
#define TIME_RANGE (BIT(FL_PARAM_TS_START) | BIT(FL_PARAM_TS_END))
#define RECORD (BIT(FL_PARAM_KEY) | BIT(FL_PARAM_TS))
#define PAGE (BIT(FL_PARAM_LIMIT) | BIT(FL_PARAM_CURSOR))
#define QUERY                                                                                     \
    (BIT(FL_PARAM_PREFIX) | KEY_RANGE | TIME_RANGE | BIT(FL_PARAM_ORDER) | BIT(FL_PARAM_CURSOR) | \
     FL_READING_FORM)
#define PAGE_FILE(name) \
    { FL_API_PAGE_FILES name, FL_HTTP_GET, 0, 0, &fl_api_page, FL_HTTP_NEEDS_NOTHING }

const struct fl_http_route fl_api_routes[] = {
    {"/write", FL_HTTP_POST | FL_HTTP_PUT, 0, 0, &fl_api_write, FL_HTTP_NEEDS_KEY},
    {"/write/binary", FL_HTTP_POST, 0, 0, &fl_api_write_binary, FL_HTTP_NEEDS_KEY},
    {"/query", FL_HTTP_GET, QUERY, 0, &fl_api_query, FL_HTTP_NEEDS_KEY},
    {"/record", FL_HTTP_GET, RECORD | FL_READING_FORM, RECORD, &fl_api_get_record,
     FL_HTTP_NEEDS_KEY},
    {"/latest", FL_HTTP_GET,
     BIT(FL_PARAM_KEY) | BIT(FL_PARAM_PREFIX) | BIT(FL_PARAM_TS_END) | BIT(FL_PARAM_CURSOR) |
         FL_READING_FORM,
     0, &fl_api_latest, FL_HTTP_NEEDS_KEY},
    {"/keys", FL_HTTP_GET, BIT(FL_PARAM_PREFIX) | PAGE, 0, &fl_api_keys, FL_HTTP_NEEDS_KEY},
    {"/record", FL_HTTP_DELETE, RECORD, RECORD, &fl_api_delete_record, FL_HTTP_NEEDS_KEY},
    {"/record", FL_HTTP_PATCH, 0, 0, &fl_api_patch_record, FL_HTTP_NEEDS_KEY},
    {"/range", FL_HTTP_DELETE, KEY_RANGE | BIT(FL_PARAM_PREFIX), 0, &fl_api_delete_range,
     FL_HTTP_NEEDS_KEY},
    {"/health", FL_HTTP_GET, 0, 0, &fl_api_health, FL_HTTP_NEEDS_NOTHING},
    {"/ready", FL_HTTP_GET, 0, 0, &fl_api_ready, FL_HTTP_NEEDS_NOTHING},
    {"/stats", FL_HTTP_GET, 0, 0, &fl_api_stats, FL_HTTP_NEEDS_FIGURES},
    {"/metrics", FL_HTTP_GET, 0, 0, &fl_api_metrics, FL_HTTP_NEEDS_FIGURES},
    {"/openapi.json", FL_HTTP_GET, 0, 0, &fl_api_description, FL_HTTP_NEEDS_KEY},
    {FL_API_PAGE, FL_HTTP_GET, 0, 0, &fl_api_page, FL_HTTP_NEEDS_NOTHING},
    {FL_API_PAGE_SLASH, FL_HTTP_GET, 0, 0, &fl_api_page_slash, FL_HTTP_NEEDS_NOTHING},
    PAGE_FILE("client.js"),
    PAGE_FILE("dom.js"),
    PAGE_FILE("events.js"),
    PAGE_FILE("figures.js"),
    PAGE_FILE("format.js"),
    PAGE_FILE("icon.svg"),
    PAGE_FILE("ingest.js"),
    PAGE_FILE("key.js"),
    PAGE_FILE("main.js"),
    PAGE_FILE("maintain.js"),
    PAGE_FILE("page.css"),
    PAGE_FILE("poll.js"),
    PAGE_FILE("query.js"),
    PAGE_FILE("reads.js"),
    PAGE_FILE("series.js"),
    PAGE_FILE("settings.js"),
    PAGE_FILE("spark.js"),
    PAGE_FILE("tables.js"),
    {"/admin/query", FL_HTTP_GET, QUERY, 0, &fl_api_query, FL_HTTP_NEEDS_KEY},
    {"/admin/delete", FL_HTTP_POST, 0, 0, &fl_api_admin_delete, FL_HTTP_NEEDS_KEY},
    {"/admin/patch", FL_HTTP_POST, 0, 0, &fl_api_patch_record, FL_HTTP_NEEDS_KEY},
    {"/admin/flush", FL_HTTP_POST, 0, 0, &fl_api_flush, FL_HTTP_NEEDS_KEY},
    {"/admin/compact", FL_HTTP_POST, 0, 0, &fl_api_compact, FL_HTTP_NEEDS_KEY},
    {"/admin/gc", FL_HTTP_POST, 0, 0, &fl_api_gc, FL_HTTP_NEEDS_KEY},
    {"/admin/checkpoint", FL_HTTP_POST, 0, 0, &fl_api_checkpoint_make, FL_HTTP_NEEDS_KEY},
    {"/admin/checkpoint", FL_HTTP_DELETE, BIT(FL_PARAM_NAME), BIT(FL_PARAM_NAME),
     &fl_api_checkpoint_remove, FL_HTTP_NEEDS_KEY},
    {"/admin/checkpoints", FL_HTTP_GET, 0, 0, &fl_api_checkpoint_list, FL_HTTP_NEEDS_KEY},
    {"/admin/series", FL_HTTP_GET, BIT(FL_PARAM_PREFIX) | PAGE, 0, &fl_api_series,
     FL_HTTP_NEEDS_KEY},
    {"/admin/tables", FL_HTTP_GET, 0, 0, &fl_api_tables, FL_HTTP_NEEDS_KEY},
    {"/admin/events", FL_HTTP_GET, 0, 0, &fl_api_events, FL_HTTP_NEEDS_KEY},
    {"/admin/queries", FL_HTTP_GET, 0, 0, &fl_api_queries, FL_HTTP_NEEDS_KEY},
    {"/admin/queries/cancel", FL_HTTP_POST, 0, 0, &fl_api_cancel, FL_HTTP_NEEDS_KEY},
    {"/admin/config", FL_HTTP_GET, 0, 0, &fl_api_config, FL_HTTP_NEEDS_KEY},
    {"/admin/ingest", FL_HTTP_GET, 0, 0, &fl_api_ingest, FL_HTTP_NEEDS_KEY},
};

const size_t fl_api_route_count = sizeof fl_api_routes / sizeof fl_api_routes[0];
