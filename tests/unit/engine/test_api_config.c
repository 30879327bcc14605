/* Configuration, names and versions. */
#include <stdio.h>
#include <unistd.h>

#include "api_fixture.h"

static void the_defaults_are_those_that_the_header_states(void **state) {
    (void)state;
    flowdb_config config = flowdb_config_default();
    assert_int_equal(config.struct_size, sizeof config);
    assert_string_equal(config.data_dir, "./data");
    assert_true(config.create_if_missing);
    assert_false(config.read_only);
    assert_true(config.auto_background);
    assert_int_equal(config.memtable_size_mb, 64);
    assert_int_equal(config.max_frozen_memtables, 2);
    assert_int_equal(config.block_size, 8192);
    assert_int_equal(config.zstd_level, 3);
    assert_int_equal(config.bloom_bits_per_key, 10);
    assert_int_equal(config.wal_segment_size_mb, 64);
    assert_int_equal(config.wal_sync, FLOWDB_SYNC_INTERVAL);
    assert_int_equal(config.wal_sync_interval_ms, 1000);
    assert_int_equal(config.compaction_threshold, 2);
    assert_int_equal(config.flush_interval_ms, 1000);
    assert_int_equal(config.gc_interval_secs, 3600);
    assert_int_equal(config.default_ttl_secs, 0);
    assert_int_equal(config.time_bucket_secs, 3600);
    assert_int_equal(config.index_memory_budget_mb, 256);
    assert_int_equal(config.block_cache_capacity_mb, 128);
    assert_int_equal(config.disk_reserve_mb, 64);
    assert_null(config.log);
    assert_null(config.log_context);
    api_assert_ok(flowdb_config_validate(&config));
}

/* One field and its range. `maximum` 0: the field's type is the bound. */
struct bound {
    const char *name;
    size_t offset;
    uint32_t minimum, maximum;
};

#define BOUND(field, minimum, maximum) \
    { #field, offsetof(flowdb_config, field), minimum, maximum }

static const struct bound bounds[] = {
    BOUND(memtable_size_mb, 1, 65536),    BOUND(max_frozen_memtables, 1, 64),
    BOUND(block_size, 128, 1048576),      BOUND(zstd_level, 1, 22),
    BOUND(bloom_bits_per_key, 0, 64),     BOUND(wal_segment_size_mb, 1, 65536),
    BOUND(wal_sync_interval_ms, 1, 0),    BOUND(compaction_threshold, 2, 64),
    BOUND(flush_interval_ms, 1, 0),       BOUND(gc_interval_secs, 1, 0),
    BOUND(time_bucket_secs, 1, 0),        BOUND(index_memory_budget_mb, 0, 0),
    BOUND(block_cache_capacity_mb, 0, 0), BOUND(disk_reserve_mb, 0, 0)};

static flowdb_config config_with(const struct bound *bound, uint32_t value) {
    flowdb_config config = flowdb_config_default();
    memcpy((char *)&config + bound->offset, &value, sizeof value);
    return config;
}

static void refuses(const struct bound *bound, uint32_t value) {
    char number[16];
    flowdb_config config = config_with(bound, value);
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, bound->name, flowdb_config_validate(&config));
    /* The sentence holds the range too. */
    snprintf(number, sizeof number, "%u", bound->minimum);
    assert_non_null(strstr(flowdb_last_error(), number));
    if (bound->maximum == 0)
        return;
    snprintf(number, sizeof number, "%u", bound->maximum);
    assert_non_null(strstr(flowdb_last_error(), number));
}

static void accepts(const struct bound *bound, uint32_t value) {
    flowdb_config config = config_with(bound, value);
    if (flowdb_config_validate(&config) != FLOWDB_OK)
        fail_msg("%s = %u: %s", bound->name, value, flowdb_last_error());
}

static void every_field_is_accepted_at_its_bounds_and_refused_beyond_them_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const struct bound *bound = &bounds[i];
        accepts(bound, bound->minimum);
        accepts(bound, bound->maximum != 0 ? bound->maximum : UINT32_MAX);
        if (bound->minimum > 0)
            refuses(bound, bound->minimum - 1);
        if (bound->maximum != 0)
            refuses(bound, bound->maximum + 1);
        if (bound->maximum != 0)
            refuses(bound, UINT32_MAX);
    }
}

static void default_ttl_secs_is_refused_where_microseconds_overflow(void **state) {
    (void)state;
    flowdb_config config = flowdb_config_default();
    config.default_ttl_secs = 9223372036854;
    api_assert_ok(flowdb_config_validate(&config));
    config.default_ttl_secs++;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "default_ttl_secs", flowdb_config_validate(&config));
    config.default_ttl_secs = UINT64_MAX;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "default_ttl_secs", flowdb_config_validate(&config));
}

static void wal_sync_must_be_one_of_the_three_modes(void **state) {
    (void)state;
    flowdb_config config = flowdb_config_default();
    for (int mode = 0; mode < 3; mode++) {
        memcpy(&config.wal_sync, &mode, sizeof mode);
        api_assert_ok(flowdb_config_validate(&config));
    }
    for (int mode = 3; mode > -2; mode -= 4) { /* 3 and -1 */
        memcpy(&config.wal_sync, &mode, sizeof mode);
        api_assert_fails(FLOWDB_INVALID_ARGUMENT, "wal_sync", flowdb_config_validate(&config));
    }
}

static void data_dir_must_be_given(void **state) {
    (void)state;
    flowdb_config config = flowdb_config_default();
    config.data_dir = NULL;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "data_dir", flowdb_config_validate(&config));
    config.data_dir = "";
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "data_dir", flowdb_config_validate(&config));
}

static void validating_looks_at_no_file(void **state) {
    (void)state;
    flowdb_config config = flowdb_config_default();
    config.data_dir = "/no/such/folder/anywhere";
    api_assert_ok(flowdb_config_validate(&config));
}

static void init_writes_no_more_than_the_size_that_it_is_given(void **state) {
    (void)state;
    struct {
        flowdb_config config;
        unsigned char beyond[64];
    } room;
    size_t smaller = offsetof(flowdb_config, disk_reserve_mb);
    memset(&room, 0xa5, sizeof room);
    flowdb_config_init(&room.config, smaller);
    assert_int_equal(room.config.struct_size, smaller);
    assert_int_equal(room.config.block_cache_capacity_mb, 128);
    assert_int_equal(room.config.disk_reserve_mb, 0xa5a5a5a5);
    memset(&room, 0xa5, sizeof room);
    flowdb_config_init(&room.config, sizeof room.config);
    for (size_t i = 0; i < sizeof room.beyond; i++)
        assert_int_equal(room.beyond[i], 0xa5);
}

static void a_config_that_was_never_initialised_is_refused(void **state) {
    (void)state;
    flowdb_config config;
    memset(&config, 0, sizeof config);
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "struct_size", flowdb_config_validate(&config));
}

static void null_is_no_config_to_validate(void **state) {
    (void)state;
    api_assert_fails(FLOWDB_INVALID_ARGUMENT, "", flowdb_config_validate(NULL));
}

static void open_makes_the_same_check_and_leaves_its_output_untouched(void **state) {
    struct api *api = *state;
    api->config.block_size = 127;
    api_assert_open_fails(api, FLOWDB_INVALID_ARGUMENT, "block_size");
    api->config.block_size = 128;
    api_open(api);
}

static void a_null_config_means_the_defaults(void **state) {
    struct api *api = *state;
    char here[API_PATH_BYTES];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(api->folder), 0);
    flowdb_status status = flowdb_open(NULL, &api->db);
    int found = access("data/LOCK", F_OK);
    flowdb_status closed = status == FLOWDB_OK ? flowdb_close(api->db) : FLOWDB_OK;
    api->db = NULL;
    assert_int_equal(chdir(here), 0);
    api_assert_ok(status);
    api_assert_ok(closed);
    assert_int_equal(found, 0);
}

static void every_status_has_a_name_and_other_numbers_are_unknown(void **state) {
    (void)state;
    static const char *const names[] = {
        "FLOWDB_OK",        "FLOWDB_DONE",       "FLOWDB_NOT_FOUND",   "FLOWDB_INVALID_ARGUMENT",
        "FLOWDB_IO_ERROR",  "FLOWDB_CORRUPTION", "FLOWDB_NO_MEMORY",   "FLOWDB_NO_SPACE",
        "FLOWDB_LOCKED",    "FLOWDB_READ_ONLY",  "FLOWDB_UNSUPPORTED", "FLOWDB_INTERRUPTED",
        "FLOWDB_WOULD_WAIT"};
    for (int status = 0; status <= FLOWDB_WOULD_WAIT; status++)
        assert_string_equal(flowdb_status_name((flowdb_status)status), names[status]);
    assert_string_equal(flowdb_status_name((flowdb_status)(FLOWDB_WOULD_WAIT + 1)),
                        "FLOWDB_UNKNOWN");
    assert_string_equal(flowdb_status_name((flowdb_status)1000), "FLOWDB_UNKNOWN");
}

static void the_version_is_three_numbers(void **state) {
    (void)state;
    int major, minor, patch, end = 0;
    const char *version = flowdb_version();
    assert_int_equal(sscanf(version, "%d.%d.%d%n", &major, &minor, &patch, &end), 3);
    assert_int_equal(end, (int)strlen(version));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_that_the_header_states),
        cmocka_unit_test(every_field_is_accepted_at_its_bounds_and_refused_beyond_them_by_name),
        cmocka_unit_test(default_ttl_secs_is_refused_where_microseconds_overflow),
        cmocka_unit_test(wal_sync_must_be_one_of_the_three_modes),
        cmocka_unit_test(data_dir_must_be_given),
        cmocka_unit_test(validating_looks_at_no_file),
        cmocka_unit_test(init_writes_no_more_than_the_size_that_it_is_given),
        cmocka_unit_test(a_config_that_was_never_initialised_is_refused),
        cmocka_unit_test(null_is_no_config_to_validate),
        API_TEST_CLOSED(open_makes_the_same_check_and_leaves_its_output_untouched),
        API_TEST_CLOSED(a_null_config_means_the_defaults),
        cmocka_unit_test(every_status_has_a_name_and_other_numbers_are_unknown),
        cmocka_unit_test(the_version_is_three_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
