/* Whole blocks that go from table to table: as good as adding their rows one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "fixture.h"

/* A second table beside the fixture's. */
struct copying {
    struct fixture *fixture;
    char path[SCRATCH_PATH];
    struct fl_table_options options;
    uint64_t blocks, rows; /* how many were copied, and added */
    uint64_t rows_before;  /* rows of the source to add before blocks are tried */
    bool between;          /* a row more before each block */
};

enum { COPY_ID = 99 };

/* A row between the block's first and the one before. */
static flowdb_status add_between(struct fl_source *source, struct fl_table_builder *builder) {
    char key[512];
    size_t size = source->row.key.size;
    memcpy(key, source->row.key.data, size);
    key[size - 1]--;
    key[size] = 'x';
    struct fl_row row = {
        .key = flowdb_bytes(key, size + 1), .seq = 1, .expire_at = FLOWDB_NEVER, .op = FL_OP_PUT};
    return fl_table_builder_add(builder, &row);
}

static flowdb_status copy_rows(struct copying *copying, struct fl_source *source,
                               struct fl_table_builder *builder) {
    flowdb_status status = fl_source_seek(source, (flowdb_slice){0}, INT64_MIN);
    while (status == FLOWDB_OK && source->valid) {
        struct fl_table_block block;
        bool added = false;
        if (copying->rows >= copying->rows_before && fl_table_source_block(source, &block)) {
            if (copying->between)
                status = add_between(source, builder);
            if (status == FLOWDB_OK)
                status = fl_table_builder_add_block(builder, source, &added);
        }
        copying->blocks += added;
        if (added || status != FLOWDB_OK)
            continue;
        status = fl_table_builder_add(builder, &source->row);
        copying->rows++;
        if (status == FLOWDB_OK)
            status = fl_source_next(source);
    }
    return status;
}

static flowdb_status copy(struct copying *copying, struct fl_table *from,
                          struct fl_table_properties *properties) {
    const struct fl_env *env = &copying->fixture->env;
    struct fl_bounds bounds = bounds_all(false);
    struct fl_table_builder *builder = NULL;
    struct fl_source *source = NULL;
    copying->blocks = copying->rows = 0;
    scratch_remove(copying->path);
    flowdb_status status = fl_table_source(from, &bounds, &read_all, &source);
    if (status == FLOWDB_OK)
        status = fl_table_builder_create(env, copying->path, COPY_ID, &copying->options, &builder);
    if (status == FLOWDB_OK)
        status = copy_rows(copying, source, builder);
    if (status == FLOWDB_OK)
        status = fl_table_builder_finish(builder, properties);
    fl_table_builder_destroy(builder);
    fl_source_close(source);
    return status;
}

static struct copying begin(void **state, uint32_t block_size, enum fl_codec codec) {
    struct copying copying = {.fixture = *state, .options = fixture_options(block_size, codec)};
    snprintf(copying.path, sizeof copying.path, "%s",
             scratch_in(copying.fixture->folder, "copy.sst"));
    return copying;
}

static void assert_same_properties(const struct fl_table_properties *a,
                                   const struct fl_table_properties *b) {
    assert_int_equal(a->row_count, b->row_count);
    assert_int_equal(a->delete_count, b->delete_count);
    assert_int_equal(a->key_count, b->key_count);
    assert_int_equal(a->raw_bytes, b->raw_bytes);
    assert_int_equal(a->min_seq, b->min_seq);
    assert_int_equal(a->max_seq, b->max_seq);
    assert_true(a->min_ts == b->min_ts && a->max_ts == b->max_ts);
    assert_true(a->min_expire_at == b->min_expire_at && a->max_expire_at == b->max_expire_at);
}

/* The copy has the rows, and is known to have them. */
static void check_copy(struct copying *copying, const struct rows *rows, struct fl_table *from,
                       const struct fl_table_properties *properties) {
    struct fl_table *table;
    assert_same_properties(fl_table_properties(from), properties);
    assert_int_equal(fl_table_open(&copying->fixture->env, copying->path, COPY_ID,
                                   properties->file_size, &table),
                     FLOWDB_OK);
    assert_same_properties(fl_table_properties(table), properties);
    assert_true(fl_slice_equal(fl_table_min_key(table), fl_table_min_key(from)));
    assert_true(fl_slice_equal(fl_table_max_key(table), fl_table_max_key(from)));
    check_gets(table, rows);
    struct fl_bounds bounds = bounds_all(false), reverse = bounds_all(true);
    check_scan(table, rows, &bounds, flowdb_bytes(NULL, 0), 0);
    check_scan(table, rows, &reverse, flowdb_bytes(NULL, 0), 0);
    fl_table_unref(table);
}

static const struct recipe recipes[] = {
    {.keys = 1, .rows_per_key = 4000, .value_size_max = 6, .expires = true},
    {.keys = 900, .rows_per_key = 1, .value_size_max = 20, .fixed_values = true},
    {.keys = 60, .rows_per_key = 40, .regular = true, .value_size_max = 10, .delete_percent = 10},
    {.keys = 200, .rows_per_key = 9, .value_size_max = 30, .long_keys = true, .expires = true},
};

static void copied_blocks_are_as_good_as_their_rows(void **state) {
    struct seeded dice = seeded_begin("copied blocks");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        for (int codec = 0; codec < 9; codec++) {
            struct copying copying = begin(state, 1024, (enum fl_codec)(codec / 3));
            struct fl_table_options options = fixture_options(1024, (enum fl_codec)(codec % 3));
            struct rows rows = {0};
            struct fl_table_properties properties;
            rows_random(&rows, &dice, &recipes[i]);
            struct fl_table *from = fixture_table(copying.fixture, &rows, &options);
            copying.rows_before = pick(&dice, 2) ? 0 : pick(&dice, 300);
            assert_int_equal(copy(&copying, from, &properties), FLOWDB_OK);
            /* All but a few, which came before, or with which the encoder was filled up. Of a handful
               of blocks that can be most. */
            uint64_t blocks = fl_table_properties(from)->block_count;
            bool few = blocks < 8 || rows.count < 4 * copying.rows_before;
            assert_true(copying.blocks * 2 > blocks || few);
            check_copy(&copying, &rows, from, &properties);
            fl_table_unref(from);
            rows_free(&rows);
        }
    }
}

/* Copying must not keep tables of crumbs as they are. */
static void small_blocks_are_put_together(void **state) {
    struct seeded dice = seeded_begin("crumbs");
    struct copying copying = begin(state, 4096, FL_CODEC_ZSTD);
    struct fl_table_options options = fixture_options(1024, FL_CODEC_ZSTD);
    struct rows rows = {0};
    struct fl_table_properties properties;
    rows_random(&rows, &dice, &recipes[1]);
    struct fl_table *from = fixture_table(copying.fixture, &rows, &options);
    assert_int_equal(copy(&copying, from, &properties), FLOWDB_OK);
    assert_int_equal(copying.blocks, 0);
    assert_true(properties.block_count < fl_table_properties(from)->block_count / 2);
    check_copy(&copying, &rows, from, &properties);
    fl_table_unref(from);
    rows_free(&rows);
}

/* A row before each block: it must not make crumbs of all. */
static void a_block_that_ends_early_is_a_rare_one(void **state) {
    struct copying copying = begin(state, 512, FL_CODEC_ZSTD);
    struct fl_table_options options = fixture_options(512, FL_CODEC_ZSTD);
    struct rows rows = {0};
    struct fl_table_properties properties;
    for (int i = 0; i < 4000; i++) {
        char key[16], value[32];
        snprintf(key, sizeof key, "%05d", 2 * i + 1);
        snprintf(value, sizeof value, "%d", i * i);
        rows_put(&rows, key, 0, 5, value);
    }
    struct fl_table *from = fixture_table(copying.fixture, &rows, &options);
    uint64_t blocks = fl_table_properties(from)->block_count;
    copying.between = true;
    assert_int_equal(copy(&copying, from, &properties), FLOWDB_OK);
    assert_true(copying.blocks > blocks / 10);
    /* Twice as many, if each row became a block. */
    assert_true(properties.block_count <= blocks + blocks / 4);
    fl_table_unref(from);
    rows_free(&rows);
}

/* Of random hexadecimal digits lz4 leaves blocks as they are, and zstd halves them. */
static void blocks_are_compressed_anew_for_another_codec(void **state) {
    struct seeded dice = {17};
    struct copying copying = begin(state, 1024, FL_CODEC_ZSTD);
    struct fl_table_options options = fixture_options(1024, FL_CODEC_LZ4);
    struct rows rows = {0};
    struct fl_table_properties properties;
    for (int i = 0; i < 1000; i++) {
        char key[16], value[40];
        snprintf(key, sizeof key, "%05d", i);
        snprintf(value, sizeof value, "%016" PRIx64 "%016" PRIx64, seeded_next(&dice),
                 seeded_next(&dice));
        rows_put(&rows, key, 0, 5, value);
    }
    struct fl_table *from = fixture_table(copying.fixture, &rows, &options);
    assert_int_equal(copy(&copying, from, &properties), FLOWDB_OK);
    assert_int_equal(copying.rows, 0);
    assert_true(properties.file_size < fl_table_properties(from)->file_size / 4 * 3);
    check_copy(&copying, &rows, from, &properties);
    fl_table_unref(from);
    rows_free(&rows);
}

static void a_damaged_block_is_not_copied(void **state) {
    struct seeded dice = seeded_begin("damaged blocks");
    struct copying copying = begin(state, 1024, FL_CODEC_ZSTD);
    struct rows rows = {0};
    struct fl_table_properties properties;
    rows_random(&rows, &dice, &recipes[1]);
    struct fl_table *from = fixture_table(copying.fixture, &rows, &copying.options);
    size_t size;
    uint8_t *bytes = scratch_read(copying.fixture->path, &size);
    for (int round = 0; round < 50; round++) {
        /* Somewhere in the first blocks, which the open table will read. */
        size_t at = pick(&dice, size / 4);
        bytes[at] ^= (uint8_t)(1u << pick(&dice, 8));
        FILE *file = fopen(copying.fixture->path, "r+b");
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        fclose(file);
        assert_int_equal(copy(&copying, from, &properties), FLOWDB_CORRUPTION);
        assert_non_null(strstr(flowdb_last_error(), copying.fixture->path));
        free(bytes);
        fl_table_unref(from);
        from = fixture_table(copying.fixture, &rows, &copying.options);
        bytes = scratch_read(copying.fixture->path, &size);
    }
    free(bytes);
    fl_table_unref(from);
    rows_free(&rows);
}

static void copying_survives_a_failure_of_every_allocation(void **state) {
    struct seeded dice = {5};
    for (int codec = 1; codec < 3; codec++) {
        struct copying copying = begin(state, 1024, FL_CODEC_ZSTD);
        struct fl_table_options options = fixture_options(1024, (enum fl_codec)codec);
        struct failing_alloc *failing = &copying.fixture->alloc;
        struct rows rows = {0};
        struct fl_table_properties properties;
        rows_random(&rows, &dice, &recipes[1]);
        struct fl_table *from = fixture_table(copying.fixture, &rows, &options);
        flowdb_status status;
        int64_t live = failing->live;
        for (uint64_t nth = 1;; nth++) {
            failing->fail_at = failing->calls + nth;
            status = copy(&copying, from, &properties);
            bool struck = failing->calls >= failing->fail_at;
            failing->fail_at = 0;
            assert_int_equal(failing->live, live);
            if (!struck)
                break;
            assert_int_equal(status, FLOWDB_NO_MEMORY);
        }
        assert_int_equal(status, FLOWDB_OK);
        check_copy(&copying, &rows, from, &properties);
        fl_table_unref(from);
        rows_free(&rows);
    }
}

#define COPY_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        COPY_TEST(copied_blocks_are_as_good_as_their_rows),
        COPY_TEST(small_blocks_are_put_together),
        COPY_TEST(a_block_that_ends_early_is_a_rare_one),
        COPY_TEST(blocks_are_compressed_anew_for_another_codec),
        COPY_TEST(a_damaged_block_is_not_copied),
        COPY_TEST(copying_survives_a_failure_of_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
