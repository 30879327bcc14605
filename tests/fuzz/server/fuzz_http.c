/*
 * Whole requests to every path of a server over a small database in a simulated file system. Whatever is
 * asked: there is an answer with the headers it needs, JSON where it says so; what is refused has changed
 * nothing; nothing passes the limits; and compressed or not, or in other pieces, it is the same.
 */
#include "api/api.h"
#include "api/rates.h"
#include "engine/engine.h"
#include "fuzz/server/stand_in.h"
#include "http/gzip.h"
#include "sim/life.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***words);

#define SECRET "a-key-that-nobody-is-told"

enum { BODY_MAX = 2000, RECORDS_MAX = 12, KEY_MAX = 23, VALUE_MAX = 47 };

/* One for all inputs, but for the database, which is made anew after one that has changed it. */
static struct {
    struct life life;
    struct fl_logger logger;
    struct fl_config config;
    struct fl_api api;
    struct fl_http_exchanges exchanges;
    bool changed;
} server;

static void open_database(void) {
    static const char *const keys[] = {"a", "a\xff", "cpu,host=1", "cpu,host=2", "m"};
    struct life *life = &server.life;
    struct seeded random = {2};
    flowdb_config config = life_choose_config(&random);
    config.wal_sync = FLOWDB_SYNC_INTERVAL;
    config.default_ttl_secs = 0;
    life_init(life, &config);
    expect(life_open(life) == FLOWDB_OK);
    for (size_t i = 0; i < 20; i++) {
        const char *value = i % 3 == 0 ? "12.5" : i % 3 == 1 ? "plain text" : "\xff\x01<";
        flowdb_record record = {flowdb_str(keys[i % 5]), (int64_t)i * 1000000 - 3000000,
                                FLOWDB_NEVER, flowdb_str(value)};
        expect(flowdb_write(life->db, &record, 1) == FLOWDB_OK);
        if (i == 9)
            expect(flowdb_flush(life->db) == FLOWDB_OK);
    }
    server.api.db = life->db;
    server.changed = false;
}

static void renew_database(void) {
    if (server.life.db != NULL && !server.changed)
        return;
    if (server.life.db != NULL)
        life_deinit(&server.life);
    open_database();
}

/* ------------------------------------------------------------------------------------ answers -- */

static bool append(void *context, const void *bytes, size_t size) {
    fl_output_append(context, bytes, size);
    return true;
}

/* The body without its coding. */
static void decode(const struct stand_in_answer *answer, struct fl_output *plain) {
    if (!given_same(stand_in_header(answer, "Content-Encoding"), flowdb_str("gzip"))) {
        fl_output_append(plain, answer->body.data, answer->body.size);
        return;
    }
    struct fl_gunzip *gunzip = fl_gunzip_create((uint64_t)1 << 24);
    expect(gunzip != NULL && fl_gunzip_feed(gunzip, answer->body.data, answer->body.size, append,
                                            plain) == FL_GUNZIP_OK);
    expect(fl_gunzip_complete(gunzip));
    fl_gunzip_destroy(gunzip);
}

static bool has_header(const struct stand_in_answer *answer, const char *name) {
    return stand_in_header(answer, name).size > 0;
}

static void check_answer(const struct stand_in_request *request,
                         const struct stand_in_answer *answer) {
    unsigned status = answer->status;
    if (status == 0) { /* cut off: only where it sends what it was told not to */
        expect(request->body.size > BODY_MAX);
        return;
    }
    expect((status >= 200 && status <= 204) || status == 304 || status == 308 ||
           (status >= 400 && status < 600));
    /* Checkpoints are looked for in a real folder, which is not there. */
    expect(!answer->broken && (status != 500 || strstr(request->path, "/admin/checkpoint")));
    expect(has_header(answer, "X-Content-Type-Options") &&
           has_header(answer, "Content-Security-Policy") && has_header(answer, "Cache-Control"));
    expect((status == 405) == has_header(answer, "Allow"));
    if (!given_same(stand_in_header(answer, "Content-Type"), flowdb_str("application/json")))
        return;
    struct fl_output plain = {0};
    decode(answer, &plain);
    expect(plain.size == 0 || given_is_json(flowdb_bytes(plain.data, plain.size)));
    expect(plain.size == 0 || memmem(plain.data, plain.size, SECRET, strlen(SECRET)) == NULL);
    fl_output_deinit(&plain);
}

/* Everything that the database holds keeps to the limits. */
static void check_database(void) {
    flowdb_range all = flowdb_range_all();
    flowdb_result result = {0};
    expect(flowdb_query(server.api.db, &all, NULL, &result) == FLOWDB_OK);
    for (size_t i = 0; i < result.count; i++)
        expect(result.records[i].key.size <= KEY_MAX && result.records[i].value.size <= VALUE_MAX);
    flowdb_result_free(&result);
}

/* ----------------------------------------------------------------------------------- prefixes -- */

/* How many records there are, of which so many have the prefix. */
struct tally {
    size_t all, with;
};

static struct tally count(flowdb_slice prefix) {
    flowdb_range all = flowdb_range_all();
    flowdb_result result = {0};
    expect(flowdb_query(server.api.db, &all, NULL, &result) == FLOWDB_OK);
    struct tally tally = {.all = result.count};
    for (size_t i = 0; i < result.count; i++) {
        flowdb_slice key = result.records[i].key;
        tally.with += key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
    }
    flowdb_result_free(&result);
    return tally;
}

/* The prefix that a request deletes, appended to `bytes`; false where it is none of that kind. */
static bool deletes_prefix(const struct stand_in_request *request, struct fl_output *bytes) {
    const struct stand_in_pairs *arguments = &request->arguments;
    struct fl_http_params params = {0};
    struct fl_http_reply reply = {0};
    bool deletes =
        strcmp(request->method, "DELETE") == 0 && strcmp(request->path, "/range") == 0 &&
        arguments->count == 1 &&
        fl_http_params_add(&params, FL_PARAM_BIT(FL_PARAM_PREFIX), arguments->pairs[0].name,
                           arguments->pairs[0].value, &server.exchanges.service.limits, &reply);
    flowdb_slice prefix = fl_http_params_bytes(&params, FL_PARAM_PREFIX);
    deletes = deletes && prefix.size > 0;
    if (deletes)
        fl_output_append(bytes, prefix.data, prefix.size);
    fl_http_params_deinit(&params);
    fl_http_reply_deinit(&reply);
    return deletes;
}

/* ---------------------------------------------------------------------------------- exchanges -- */

static bool maintains(const struct stand_in_request *request) {
    return strstr(request->path, "/admin/") != NULL;
}

/* The answer; what it has done to the database is judged. */
static void ask(const struct stand_in_request *request, struct stand_in_answer *answer) {
    struct fl_output prefix = {0};
    struct tally had = {0}, has;
    bool deletes = deletes_prefix(request, &prefix);
    if (deletes)
        had = count(flowdb_bytes(prefix.data, prefix.size));
    uint64_t before = atomic_load(&server.api.db->visible_seq);
    stand_in_exchange(&server.exchanges, request, answer);
    uint64_t written = atomic_load(&server.api.db->visible_seq) - before;
    bool safe = fl_http_method_is_safe(request->method);
    check_answer(request, answer);
    expect(server.exchanges.active == 0 && server.exchanges.held == 0);
    expect(written == 0 || (!safe && answer->status == 200));
    expect(written <= RECORDS_MAX);
    if (written > 0)
        check_database();
    if (deletes && answer->status == 200) { /* those, and no others */
        has = count(flowdb_bytes(prefix.data, prefix.size));
        expect(has.with == 0 && has.all == had.all - had.with);
    }
    fl_output_deinit(&prefix);
    server.changed = server.changed || written > 0 || (!safe && maintains(request));
}

/* What is only read can be asked for again: in other pieces, and in the other coding. */
static void ask_again(struct stand_in_request *request, const struct stand_in_answer *first) {
    struct stand_in_answer second;
    struct fl_output one = {0}, other = {0};
    static const char *const reads[] = {"/query", "/record", "/latest", "/keys", "/admin/query"};
    size_t i = 0;
    while (i < sizeof reads / sizeof reads[0] && strcmp(request->path, reads[i]) != 0)
        i++;
    if (i == sizeof reads / sizeof reads[0])
        return;
    request->piece = request->piece % 64 + 1;
    (void)stand_in_add_header(request, "Accept-Encoding", "gzip");
    ask(request, &second);
    expect(second.status == first->status);
    decode(first, &one);
    decode(&second, &other);
    expect(first->status >= 400 ||
           given_same(flowdb_bytes(one.data, one.size), flowdb_bytes(other.data, other.size)));
    fl_output_deinit(&one);
    fl_output_deinit(&other);
    stand_in_answer_deinit(&second);
}

/* A server that is not set up as it should be would refuse everything, and pass. */
static void check_set_up(void) {
    static const char text[] = "\1POST /write HTTP/1.1\nHost: localhost\n\n"
                               "{\"records\":[{\"key\":\"a\",\"ts\":1,\"value\":\"x\"}]}";
    static struct stand_in_request request;
    struct bytes bytes = {.at = (const uint8_t *)text, .end = (const uint8_t *)text + strlen(text)};
    struct stand_in_answer answer;
    stand_in_parse(&bytes, &request);
    renew_database();
    ask(&request, &answer);
    expect(answer.status == 200 && server.changed);
    stand_in_answer_deinit(&answer);
}

int LLVMFuzzerInitialize(int *count, char ***words) {
    static char site[] = "https://page.example";
    static char *const sites[] = {site};
    (void)count;
    (void)words;
    server.logger = (struct fl_logger){.fd = -1};
    expect(fl_config_init(&server.config));
    free(server.config.data_dir);
    server.config.data_dir = strdup("/nonexistent/flowdb"); /* checkpoints look into it */
    const struct fl_value secret = {.type = FL_VALUE_WORD, .text = SECRET};
    char error[FL_CONFIG_ERROR];
    expect(fl_config_set(&server.config, fl_config_find("udp_api_key"), &secret, "test", error));
    server.api.config = &server.config;
    server.api.live = fl_live_config_create(&server.config);
    server.api.counters = fl_counters_create();
    server.api.rates = fl_rates_create(server.api.counters);
    server.api.running = fl_running_create(3600, &server.logger);
    struct fl_http_service *service = &server.exchanges.service;
    *service =
        (struct fl_http_service){.routes = fl_api_routes,
                                 .route_count = fl_api_route_count,
                                 .limits = FL_LIMITS_DEFAULT,
                                 .access = {.auth = fl_http_auth_create(),
                                            .origins = {.allowed = sites, .allowed_count = 1}},
                                 .logger = &server.logger,
                                 .answered = fl_api_count_answer,
                                 .meters = fl_http_meters_create(fl_api_route_count),
                                 .app = &server.api};
    service->limits.max_body_bytes = BODY_MAX;
    service->limits.max_batch_records = RECORDS_MAX;
    service->limits.max_key_bytes = KEY_MAX;
    service->limits.max_value_bytes = VALUE_MAX;
    server.exchanges.held_max = BODY_MAX;
    expect(fl_http_exchanges_init(&server.exchanges, service));
    expect(server.api.live != NULL && server.api.rates != NULL);
    expect(server.api.counters != NULL && server.api.running != NULL && service->meters != NULL);
    check_set_up();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct stand_in_request request;
    struct bytes bytes = {.at = data, .end = data + size};
    struct stand_in_answer answer;
    if (memmem(data, size, SECRET, strlen(SECRET)) != NULL)
        return -1; /* who knows it may be answered with it */
    stand_in_parse(&bytes, &request);
    renew_database();
    ask(&request, &answer);
    if (fl_http_method_is_safe(request.method) && answer.status != 0)
        ask_again(&request, &answer);
    stand_in_answer_deinit(&answer);
    return 0;
}
