/*
 * Writes a table: rows fill the block encoder, finished frames collect in a buffer that goes to the
 * file a quarter megabyte at a time, and what the end of the file needs is remembered meanwhile.
 */
#include "base/hash.h"
#include "table/filter.h"
#include "table/index.h"
#include "table/meta.h"
#include "table/reader.h"

#define WRITE_SIZE ((size_t)256 << 10)
/* A block that had to end early to let another be copied behind it comes once in so many. */
#define CRUMB_EVERY 8
/* After a raw block that did not shrink this time either, so many are not tried. */
#define HOPELESS 15

struct fl_table_builder {
    const struct fl_env *env;
    struct fl_file *file;
    uint64_t id;
    struct fl_table_options options;
    flowdb_status broken; /* the first failure: nothing but destroying is left */
    bool finished;
    struct fl_packer packer;
    struct fl_block_encoder block;
    struct fl_index_builder index;
    struct fl_tombstones tombstones;
    uint32_t since_crumb;      /* blocks since one that was small */
    uint32_t hopeless;         /* copied blocks that lie raw and will be left so untried */
    struct fl_buffer scratch;  /* a payload on its way from one codec to another */
    struct fl_buffer out;      /* frames behind `written`, sealed */
    uint64_t written;          /* bytes in the file */
    struct fl_buffer hashes;   /* fl_hash_key of each key */
    struct fl_buffer min_key;  /* of all rows */
    struct fl_buffer last_key; /* while the block is empty */
    int64_t last_ts;
    struct fl_table_properties properties;
};

static const struct fl_table_properties nothing = {.min_seq = UINT64_MAX,
                                                   .min_ts = INT64_MAX,
                                                   .max_ts = INT64_MIN,
                                                   .min_expire_at = INT64_MAX,
                                                   .max_expire_at = INT64_MIN};

flowdb_status fl_table_builder_create(const struct fl_env *env, const char *path, uint64_t table_id,
                                      const struct fl_table_options *options,
                                      struct fl_table_builder **builder) {
    const struct fl_alloc *alloc = env->alloc;
    struct fl_table_builder *made = fl_allocate_zeroed(alloc, 1, sizeof *made);
    if (made == NULL)
        return fl_fail_memory("a table builder", sizeof *made);
    made->env = env;
    made->id = table_id;
    made->options = *options;
    made->properties = nothing;
    fl_packer_init(&made->packer, alloc, options);
    fl_index_builder_init(&made->index, alloc);
    fl_tombstones_init(&made->tombstones, alloc);
    fl_buffer_init(&made->scratch, alloc);
    fl_buffer_init(&made->out, alloc);
    fl_buffer_init(&made->hashes, alloc);
    fl_buffer_init(&made->min_key, alloc);
    fl_buffer_init(&made->last_key, alloc);
    flowdb_status status = fl_block_encoder_init(&made->block, alloc, options->block_size);
    if (status == FLOWDB_OK)
        status = fl_buffer_reserve(&made->out, WRITE_SIZE + WRITE_SIZE / 4);
    if (status == FLOWDB_OK)
        status = fl_fs_open(env->fs, path, FL_OPEN_CREATE, &made->file);
    if (status == FLOWDB_OK)
        *builder = made;
    else
        fl_table_builder_destroy(made);
    return status;
}

void fl_table_builder_destroy(struct fl_table_builder *builder) {
    if (builder == NULL)
        return;
    fl_file_close(builder->file);
    fl_packer_deinit(&builder->packer);
    fl_block_encoder_deinit(&builder->block);
    fl_index_builder_deinit(&builder->index);
    fl_tombstones_deinit(&builder->tombstones);
    fl_buffer_deinit(&builder->scratch);
    fl_buffer_deinit(&builder->out);
    fl_buffer_deinit(&builder->hashes);
    fl_buffer_deinit(&builder->min_key);
    fl_buffer_deinit(&builder->last_key);
    fl_release(builder->env->alloc, builder);
}

/* ------------------------------------------------------------------------------------- adding -- */

/* Where the next frame will lie. */
static uint64_t place_of(const struct fl_table_builder *builder) {
    return builder->written + builder->out.size;
}

static flowdb_status write_out(struct fl_table_builder *builder) {
    const struct iovec part = {.iov_base = builder->out.data, .iov_len = builder->out.size};
    flowdb_status status = fl_file_write_at(builder->file, builder->written, &part, 1);
    if (status != FLOWDB_OK)
        return status;
    builder->written += builder->out.size;
    builder->out.size = 0;
    return FLOWDB_OK;
}

static void seal_last(struct fl_table_builder *builder, size_t frame_size) {
    uint8_t *frame = builder->out.data + builder->out.size - frame_size;
    fl_frame_seal(frame, frame_size, builder->id, place_of(builder) - frame_size);
}

/* Enters the frame that was just appended to `out` into the index. */
static flowdb_status enter_frame(struct fl_table_builder *builder, flowdb_slice first_key,
                                 const struct fl_block_summary *summary, size_t frame_size) {
    seal_last(builder, frame_size);
    flowdb_status status =
        fl_index_builder_add(&builder->index, &builder->packer, first_key, summary,
                             place_of(builder) - frame_size, frame_size);
    if (status != FLOWDB_OK)
        return status;
    builder->properties.block_count++;
    builder->since_crumb++;
    return builder->out.size >= WRITE_SIZE ? write_out(builder) : FLOWDB_OK;
}

static flowdb_status finish_block(struct fl_table_builder *builder) {
    struct fl_block_encoder *block = &builder->block;
    struct fl_block_summary summary;
    size_t frame_size;
    flowdb_slice last = fl_block_encoder_last_key(block);
    builder->last_key.size = 0;
    flowdb_status status = fl_buffer_append(&builder->last_key, last.data, last.size);
    if (status != FLOWDB_OK)
        return status;
    flowdb_slice first = fl_block_encoder_first_key(block);
    status = fl_block_encoder_finish(block, &builder->packer, &builder->out, &frame_size, &summary);
    if (status != FLOWDB_OK)
        return status;
    return enter_frame(builder, first, &summary, frame_size);
}

static void count_row(struct fl_table_properties *properties, const struct fl_row *row) {
    properties->row_count++;
    properties->raw_bytes += row->key.size + row->value.size;
    properties->min_seq = FL_MIN(properties->min_seq, row->seq);
    properties->max_seq = FL_MAX(properties->max_seq, row->seq);
    properties->min_ts = FL_MIN(properties->min_ts, row->ts);
    properties->max_ts = FL_MAX(properties->max_ts, row->ts);
    if (row->op == FL_OP_DELETE) {
        properties->delete_count++;
        return;
    }
    properties->min_expire_at = FL_MIN(properties->min_expire_at, row->expire_at);
    properties->max_expire_at = FL_MAX(properties->max_expire_at, row->expire_at);
}

flowdb_slice fl_table_builder_last_key(const struct fl_table_builder *builder) {
    if (builder->block.rows > 0)
        return fl_block_encoder_last_key(&builder->block);
    return flowdb_bytes(builder->last_key.data, builder->last_key.size);
}

static flowdb_status check_row(const struct fl_row *row) {
    if (row->key.size == 0 || row->key.size > FL_KEY_MAX || row->value.size > FL_VALUE_MAX)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a row with a key of %zu and a value of %zu bytes",
                       row->key.size, row->value.size);
    if (row->op != FL_OP_PUT && row->op != FL_OP_DELETE)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a row with operation %d", (int)row->op);
    return FLOWDB_OK;
}

static flowdb_status add_new_key(struct fl_table_builder *builder, flowdb_slice key) {
    flowdb_status status = FLOWDB_OK;
    if (builder->properties.row_count == 0)
        status = fl_buffer_append(&builder->min_key, key.data, key.size);
    if (status == FLOWDB_OK && builder->options.bloom_bits_per_key > 0) {
        uint64_t hash = fl_hash_key(key);
        status = fl_buffer_append(&builder->hashes, &hash, sizeof hash);
    }
    builder->properties.key_count++;
    return status;
}

static flowdb_status add_row(struct fl_table_builder *builder, const struct fl_row *row,
                             bool same_key) {
    struct fl_block_encoder *block = &builder->block;
    bool added;
    flowdb_status status = fl_block_encoder_add(block, row, same_key && block->rows > 0, &added);
    if (status == FLOWDB_OK && !added) {
        status = finish_block(builder);
        if (status == FLOWDB_OK)
            status = fl_block_encoder_add(block, row, false, &added);
    }
    if (status != FLOWDB_OK)
        return status;
    builder->last_ts = row->ts;
    count_row(&builder->properties, row);
    return FLOWDB_OK;
}

flowdb_status fl_table_builder_add(struct fl_table_builder *builder, const struct fl_row *row) {
    if (builder->broken != FLOWDB_OK || builder->finished)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a row for a table that is finished or failed");
    flowdb_status status = check_row(row);
    if (status != FLOWDB_OK)
        return status;
    int order = builder->properties.row_count == 0
                    ? 1
                    : fl_slice_compare(row->key, fl_table_builder_last_key(builder));
    if (order < 0 || (order == 0 && row->ts <= builder->last_ts))
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a row that is not above the one before");
    if (order > 0)
        status = add_new_key(builder, row->key);
    if (status == FLOWDB_OK)
        status = add_row(builder, row, order == 0);
    builder->broken = status;
    return status;
}

/* ------------------------------------------------------------------------------- whole blocks -- */

/* Is a block of so many rows and bytes of columns at least half of what it may be? */
static bool is_sizable(const struct fl_table_builder *builder, uint32_t rows, size_t bytes) {
    return bytes >= builder->options.block_size / 2 || rows >= FL_BLOCK_ROWS / 2;
}

/* May a block be put behind what is there? The rows that wait in the encoder become a block before
   it, which is small now and then, but not often. */
static bool takes_block(const struct fl_table_builder *builder, const struct fl_block_copy *copy) {
    const struct fl_block_encoder *block = &builder->block;
    if (!is_sizable(builder, copy->block->rows, copy->frame.raw_size))
        return false;
    return block->rows == 0 || builder->since_crumb >= CRUMB_EVERY ||
           is_sizable(builder, block->rows, fl_block_encoder_size(block));
}

static flowdb_status end_block(struct fl_table_builder *builder) {
    struct fl_block_encoder *block = &builder->block;
    if (block->rows == 0)
        return FLOWDB_OK;
    bool crumb = !is_sizable(builder, block->rows, fl_block_encoder_size(block));
    flowdb_status status = finish_block(builder);
    if (crumb)
        builder->since_crumb = 0;
    return status;
}

/* Counts the rows and the keys, of which the first may be the last of the block before. */
static flowdb_status count_block(struct fl_table_builder *builder, const struct fl_block *block) {
    for (uint32_t key = 0, at = 0; key < block->keys; key++) {
        struct fl_row row = {.key = fl_block_key(block, key)};
        struct fl_decimal_text text;
        if (key > 0 || builder->properties.row_count == 0 ||
            !fl_slice_equal(row.key, fl_table_builder_last_key(builder))) {
            flowdb_status status = add_new_key(builder, row.key);
            if (status != FLOWDB_OK)
                return status;
        }
        for (uint32_t end = fl_block_run(block, key + 1); at < end; at++) {
            fl_block_row(block, key, at, &row, &text);
            count_row(&builder->properties, &row);
            builder->last_ts = row.ts;
        }
    }
    flowdb_slice last = fl_block_key(block, block->keys - 1);
    builder->last_key.size = 0;
    return fl_buffer_append(&builder->last_key, last.data, last.size);
}

/* Appends the frame as it is, or compressed anew. A raw one may shrink with the other codec. */
static flowdb_status copy_frame(struct fl_table_builder *builder, const struct fl_block_copy *copy,
                                size_t *frame_size) {
    bool raw = copy->frame.codec == FL_CODEC_NONE;
    if (copy->frame.codec == builder->packer.codec || (raw && builder->hopeless > 0)) {
        builder->hopeless -= raw && builder->hopeless > 0;
        *frame_size = copy->bytes.size;
        return fl_buffer_append(&builder->out, copy->bytes.data, copy->bytes.size);
    }
    flowdb_status status =
        fl_frame_repack(&builder->packer, copy->unpacker, copy->bytes, &copy->frame,
                        &builder->scratch, &builder->out, frame_size);
    if (raw && status == FLOWDB_OK && *frame_size == copy->bytes.size)
        builder->hopeless = HOPELESS;
    return status;
}

static flowdb_status copy_block(struct fl_table_builder *builder,
                                const struct fl_block_copy *copy) {
    size_t frame_size = 0;
    flowdb_status status = end_block(builder);
    if (status == FLOWDB_OK)
        status = copy_frame(builder, copy, &frame_size);
    if (status == FLOWDB_OK)
        status = enter_frame(builder, fl_block_key(copy->block, 0), &copy->summary, frame_size);
    return status == FLOWDB_OK ? count_block(builder, copy->block) : status;
}

flowdb_status fl_table_builder_add_block(struct fl_table_builder *builder, struct fl_source *source,
                                         bool *added) {
    struct fl_block_copy copy;
    *added = false;
    if (builder->broken != FLOWDB_OK || builder->finished)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a block for a table that is finished or failed");
    flowdb_status status = fl_table_source_copy(source, &copy);
    if (status != FLOWDB_OK || !takes_block(builder, &copy))
        return status;
    int order =
        builder->properties.row_count == 0
            ? 1
            : fl_slice_compare(fl_block_key(copy.block, 0), fl_table_builder_last_key(builder));
    if (order < 0 || (order == 0 && copy.summary.first_ts <= builder->last_ts))
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a block that is not above the row before");
    status = copy_block(builder, &copy);
    builder->broken = status;
    if (status != FLOWDB_OK)
        return status;
    *added = true;
    return fl_table_source_skip(source);
}

/* ------------------------------------------------------------------------------------ the rest -- */

flowdb_status fl_table_builder_add_range_tombstone(struct fl_table_builder *builder,
                                                   const struct fl_range_tombstone *tombstone) {
    struct fl_table_properties *properties = &builder->properties;
    if (builder->finished)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "a range tombstone for a finished table");
    flowdb_status status = fl_tombstones_add(&builder->tombstones, tombstone);
    if (status != FLOWDB_OK)
        return status;
    properties->range_tombstone_count++;
    properties->min_seq = FL_MIN(properties->min_seq, tombstone->seq);
    properties->max_seq = FL_MAX(properties->max_seq, tombstone->seq);
    return FLOWDB_OK;
}

uint64_t fl_table_builder_size(const struct fl_table_builder *builder) {
    return place_of(builder) + fl_block_encoder_size(&builder->block) +
           builder->properties.key_count * builder->options.bloom_bits_per_key / 8 +
           builder->tombstones.bytes.size + fl_index_builder_size(&builder->index) + FL_FOOTER_SIZE;
}

/* ---------------------------------------------------------------------------------- finishing -- */

static flowdb_status finish_filter(struct fl_table_builder *builder, struct fl_footer *footer) {
    static const uint8_t field[] = {FL_FIELD_FILTER, 1, 1}; /* the one kind that there is */
    uint64_t keys = builder->hashes.size / sizeof(uint64_t);
    size_t size = fl_filter_size(keys, builder->options.bloom_bits_per_key), frame_size = 0;
    footer->filter = (struct fl_extent){.offset = place_of(builder)};
    if (size == 0)
        return FLOWDB_OK;
    flowdb_status status = fl_frame_append(NULL, FL_FRAME_FILTER, flowdb_bytes(field, sizeof field),
                                           flowdb_bytes(NULL, size), &builder->out, &frame_size);
    if (status != FLOWDB_OK)
        return status;
    const uint64_t *hashes = (const uint64_t *)(const void *)builder->hashes.data;
    uint8_t *filter = builder->out.data + builder->out.size - size;
    for (uint64_t i = 0; i < keys; i++)
        fl_filter_add(filter, size, hashes[i]);
    seal_last(builder, frame_size);
    footer->filter.size = frame_size;
    return FLOWDB_OK;
}

static flowdb_status finish_tombstones(struct fl_table_builder *builder, struct fl_footer *footer) {
    size_t frame_size = 0;
    footer->tombstones = (struct fl_extent){.offset = place_of(builder)};
    if (builder->tombstones.count == 0)
        return FLOWDB_OK;
    flowdb_status status =
        fl_tombstones_encode(&builder->tombstones, &builder->packer, &builder->out, &frame_size);
    if (status != FLOWDB_OK)
        return status;
    seal_last(builder, frame_size);
    footer->tombstones.size = frame_size;
    return FLOWDB_OK;
}

static flowdb_status finish_index(struct fl_table_builder *builder, struct fl_footer *footer) {
    size_t root_size = 0;
    if (builder->properties.row_count > 0) {
        flowdb_status status =
            fl_index_builder_finish(&builder->index, &builder->packer, builder->id,
                                    place_of(builder), &builder->out, &root_size);
        if (status != FLOWDB_OK)
            return status;
    }
    footer->root = (struct fl_extent){.offset = place_of(builder) - root_size, .size = root_size};
    return FLOWDB_OK;
}

static flowdb_status finish_properties(struct fl_table_builder *builder, struct fl_footer *footer) {
    struct fl_buffer payload;
    size_t frame_size = 0;
    fl_buffer_init(&payload, builder->env->alloc);
    footer->properties = (struct fl_extent){.offset = place_of(builder)};
    flowdb_slice min_key = flowdb_bytes(builder->min_key.data, builder->min_key.size);
    flowdb_slice max_key = flowdb_bytes(builder->last_key.data, builder->last_key.size);
    flowdb_status status = fl_properties_encode(&builder->properties, min_key, max_key, &payload);
    if (status == FLOWDB_OK)
        status =
            fl_frame_append(NULL, FL_FRAME_PROPERTIES, flowdb_bytes(NULL, 0),
                            flowdb_bytes(payload.data, payload.size), &builder->out, &frame_size);
    fl_buffer_deinit(&payload);
    if (status != FLOWDB_OK)
        return status;
    seal_last(builder, frame_size);
    footer->properties.size = frame_size;
    return FLOWDB_OK;
}

static flowdb_status finish_footer(struct fl_table_builder *builder, struct fl_footer *footer) {
    uint8_t bytes[FL_FOOTER_SIZE];
    footer->table_id = builder->id;
    footer->file_size = place_of(builder) + FL_FOOTER_SIZE;
    fl_footer_encode(footer, bytes);
    return fl_buffer_append(&builder->out, bytes, sizeof bytes);
}

static flowdb_status finish_parts(struct fl_table_builder *builder) {
    struct fl_footer footer;
    flowdb_status status = builder->block.rows > 0 ? finish_block(builder) : FLOWDB_OK;
    footer.data_end = place_of(builder);
    if (status == FLOWDB_OK)
        status = finish_filter(builder, &footer);
    if (status == FLOWDB_OK)
        status = finish_tombstones(builder, &footer);
    if (status == FLOWDB_OK)
        status = finish_index(builder, &footer);
    if (status == FLOWDB_OK)
        status = finish_properties(builder, &footer);
    if (status == FLOWDB_OK)
        status = finish_footer(builder, &footer);
    if (status == FLOWDB_OK)
        status = write_out(builder);
    return status;
}

flowdb_status fl_table_builder_finish(struct fl_table_builder *builder,
                                      struct fl_table_properties *properties) {
    if (builder->broken != FLOWDB_OK || builder->finished)
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "finishing a table that is finished or failed");
    flowdb_status status = finish_parts(builder);
    if (status == FLOWDB_OK)
        status = fl_file_sync(builder->file);
    builder->broken = status;
    if (status != FLOWDB_OK)
        return status;
    builder->finished = true;
    builder->properties.file_size = builder->written;
    *properties = builder->properties;
    return FLOWDB_OK;
}
