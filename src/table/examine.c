#include "table/examine.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/coding.h"
#include "table/contents.h"

#define CHUNK ((size_t)64 << 10) /* bytes that are looked through at a time */
#define PAGE ((size_t)4096)      /* what is given up where it cannot be read */
#define TEXT 512

struct walk {
    const struct fl_alloc *alloc;
    struct fl_file *file;
    uint64_t id;
    uint64_t size; /* of the file */
    uint64_t end;  /* of the frames: where the footer begins, if it is whole */
    const struct fl_examiner *examiner;
    struct fl_examined *found;
    struct fl_unpacker unpacker;
    struct fl_buffer bytes;
    struct fl_contents contents;
    bool footer_whole;
    struct fl_footer footer;
    bool seen[FL_FRAME_PROPERTIES + 1];
    uint64_t tombstones_said; /* by the properties */
    /* damage in front of the next good block, of which it will be told */
    bool pending;
    uint64_t pending_offset;
    char pending_what[TEXT];
};

const char *fl_show_key(flowdb_slice key, char out[FL_SHOWN_KEY]) {
    const uint8_t *bytes = key.data;
    size_t at = 0;
    for (size_t i = 0; i < key.size; i++) {
        if (at + 8 > FL_SHOWN_KEY) {
            memcpy(out + at, "...", 3);
            at += 3;
            break;
        }
        bool plain = bytes[i] > ' ' && bytes[i] < 0x7F && bytes[i] != '\\';
        at += (size_t)(plain ? snprintf(out + at, 2, "%c", bytes[i])
                             : snprintf(out + at, 5, "\\x%02x", bytes[i]));
    }
    out[at] = '\0';
    return out;
}

static void report(struct walk *walk, uint64_t offset, const char *what) {
    walk->found->damages++;
    if (walk->examiner->damage != NULL)
        walk->examiner->damage(walk->examiner->context, offset, what);
}

/* ------------------------------------------------------------------------------------- reading -- */

/* Bytes that the disk does not give are damaged bytes. */
static flowdb_status read_bytes(struct walk *walk, uint64_t offset, uint8_t *into, size_t size) {
    size_t got = 0;
    flowdb_status status = fl_file_read_at(walk->file, offset, into, size, &got);
    if (status == FLOWDB_IO_ERROR)
        return FLOWDB_CORRUPTION;
    if (status == FLOWDB_OK && got < size)
        return fl_fail(FLOWDB_CORRUPTION, "the file is cut off");
    return status;
}

static size_t frame_size(const uint8_t *header) {
    return FL_FRAME_HEADER + fl_get_u16(header + 18) + (size_t)fl_get_u32(header + 8);
}

/* The frame at the offset, whatever its type; its bytes stay in walk->bytes. */
static flowdb_status read_frame(struct walk *walk, uint64_t offset, struct fl_frame *frame,
                                uint64_t *size) {
    uint8_t header[FL_FRAME_HEADER];
    if (walk->end - offset < sizeof header)
        return fl_fail(FLOWDB_CORRUPTION, "a frame is cut off");
    flowdb_status status = read_bytes(walk, offset, header, sizeof header);
    if (status != FLOWDB_OK)
        return status;
    size_t whole = frame_size(header);
    if (whole > walk->end - offset)
        return fl_fail(FLOWDB_CORRUPTION, "a frame passes the end of the file");
    if (header[16] < FL_FRAME_DATA || header[16] > FL_FRAME_PROPERTIES)
        return fl_fail(FLOWDB_CORRUPTION, "there is no frame where one should be");
    walk->bytes.size = 0;
    status = fl_buffer_reserve(&walk->bytes, whole);
    if (status == FLOWDB_OK)
        status = read_bytes(walk, offset, walk->bytes.data, whole);
    if (status == FLOWDB_OK)
        status = fl_frame_parse(walk->bytes.data, whole, (enum fl_frame_type)header[16], walk->id,
                                offset, true, frame);
    if (status == FLOWDB_OK)
        *size = whole;
    return status;
}

/* Could a frame begin here? Passes one place in some millions that are none. */
static bool plausible(const uint8_t *header, uint64_t left) {
    uint32_t stored = fl_get_u32(header + 8), raw = fl_get_u32(header + 12);
    uint8_t type = header[16], codec = header[17];
    return type >= FL_FRAME_DATA && type <= FL_FRAME_PROPERTIES && codec <= FL_CODEC_ZSTD &&
           frame_size(header) <= left && raw <= FL_FRAME_OTHER_MAX &&
           (codec == FL_CODEC_NONE ? raw == stored : raw > stored);
}

/* As many of the bytes as there are; zeros, which are no frame, where they cannot be read. */
static flowdb_status read_patchy(struct walk *walk, uint64_t offset, uint8_t *into, size_t size) {
    size_t got;
    flowdb_status status = fl_file_read_at(walk->file, offset, into, size, &got);
    if (status != FLOWDB_IO_ERROR)
        return status;
    for (size_t at = 0; at < size; at += PAGE) {
        size_t part = FL_MIN(PAGE, size - at);
        status = fl_file_read_at(walk->file, offset + at, into + at, part, &got);
        if (status == FLOWDB_IO_ERROR)
            memset(into + at, 0, part);
        else if (status != FLOWDB_OK)
            return status;
    }
    return FLOWDB_OK;
}

/* In a chunk of the file. *found tells whether *place, from which it looks, became a frame's. */
static flowdb_status look_in(struct walk *walk, const uint8_t *chunk, uint64_t chunk_offset,
                             size_t size, uint64_t *place, bool *found) {
    for (; *place + FL_FRAME_HEADER <= chunk_offset + size; ++*place) {
        struct fl_frame frame;
        uint64_t whole;
        if (!plausible(chunk + (*place - chunk_offset), walk->end - *place))
            continue;
        flowdb_status status = read_frame(walk, *place, &frame, &whole);
        *found = status == FLOWDB_OK;
        if (status != FLOWDB_CORRUPTION)
            return status;
    }
    return FLOWDB_OK;
}

/* The first place from *place on where a whole frame lies; the end where there is none. */
static flowdb_status find_frame(struct walk *walk, uint64_t *place) {
    uint8_t *chunk = fl_allocate(walk->alloc, CHUNK);
    if (chunk == NULL)
        return fl_fail_memory("looking through a table", CHUNK);
    flowdb_status status = FLOWDB_OK;
    bool found = false;
    while (status == FLOWDB_OK && !found && *place < walk->end &&
           walk->end - *place >= FL_FRAME_HEADER) {
        uint64_t offset = *place;
        size_t size = (size_t)FL_MIN((uint64_t)CHUNK, walk->end - offset);
        memset(chunk, 0, CHUNK);
        status = read_patchy(walk, offset, chunk, size);
        if (status == FLOWDB_OK)
            status = look_in(walk, chunk, offset, size, place, &found);
    }
    fl_release(walk->alloc, chunk);
    if (!found)
        *place = walk->end;
    return status;
}

/* --------------------------------------------------------------------------------------- parts -- */

/* Tells of damage in front of a block, which begins with `next`; NULL: there is none. */
static void flush_pending(struct walk *walk, const struct fl_block *next) {
    if (!walk->pending)
        return;
    walk->pending = false;
    char text[TEXT + 3 * FL_SHOWN_KEY], low[FL_SHOWN_KEY], high[FL_SHOWN_KEY];
    bool any = walk->contents.properties.row_count > 0;
    flowdb_slice before = flowdb_bytes(walk->contents.last_key.data, walk->contents.last_key.size);
    flowdb_slice behind = next != NULL ? fl_block_key(next, 0) : (flowdb_slice){0};
    snprintf(text, sizeof text, "%s; it lies %s%s%s%s%s", walk->pending_what,
             any ? "behind key " : "in front", any ? fl_show_key(before, low) : "",
             next != NULL && any ? " and" : "",
             next != NULL ? (any ? " before key " : " of key ") : "",
             next != NULL ? fl_show_key(behind, high) : "");
    report(walk, walk->pending_offset, text);
}

static void note_damage(struct walk *walk, uint64_t offset) {
    flush_pending(walk, NULL);
    walk->pending = true;
    walk->pending_offset = offset;
    snprintf(walk->pending_what, sizeof walk->pending_what, "%s", flowdb_last_error());
}

static flowdb_status pass_rows(struct walk *walk, const struct fl_block *block) {
    flowdb_status status = FLOWDB_OK;
    for (uint32_t key = 0; key < block->keys && status == FLOWDB_OK; key++) {
        struct fl_row row = {.key = fl_block_key(block, key)};
        struct fl_decimal_text text;
        uint32_t end = fl_block_run(block, key + 1);
        for (uint32_t at = fl_block_run(block, key); at < end && status == FLOWDB_OK; at++) {
            fl_block_row(block, key, at, &row, &text);
            status = walk->examiner->row(walk->examiner->context, &row);
        }
    }
    return status;
}

static flowdb_status take_block(struct walk *walk, const struct fl_frame *frame, uint64_t offset,
                                uint64_t size) {
    struct fl_block *block;
    flowdb_status status = fl_block_decode(walk->alloc, &walk->unpacker, frame, &block);
    if (status != FLOWDB_OK)
        return status;
    if (walk->pending)
        flush_pending(walk, block);
    status = fl_contents_add_block(&walk->contents, block, offset, size);
    if (status == FLOWDB_OK && walk->examiner->row != NULL)
        status = pass_rows(walk, block);
    fl_block_unref(block);
    return status;
}

static flowdb_status take_tombstones(struct walk *walk, const struct fl_frame *frame) {
    struct fl_range_tombstone *tombstones;
    size_t count, memory;
    flowdb_status status =
        fl_tombstones_decode(walk->alloc, &walk->unpacker, frame, &tombstones, &count, &memory);
    if (status != FLOWDB_OK)
        return status;
    status = fl_contents_add_tombstones(&walk->contents, tombstones, count);
    if (status == FLOWDB_OK && walk->examiner->tombstones != NULL)
        status = walk->examiner->tombstones(walk->examiner->context, tombstones, count);
    fl_release(walk->alloc, tombstones);
    return status;
}

static flowdb_status note_properties(struct walk *walk, const struct fl_frame *frame) {
    struct fl_table_properties said;
    flowdb_slice key;
    flowdb_status status = fl_properties_decode(frame->payload, &said, &key, &key);
    if (status == FLOWDB_OK)
        walk->tombstones_said = said.range_tombstone_count;
    return status;
}

/* Parts other than rows are held against the rows while all of these are known. */
static flowdb_status take_frame(struct walk *walk, const struct fl_frame *frame, uint64_t offset,
                                uint64_t size) {
    struct fl_contents *contents = &walk->contents;
    bool compare = walk->found->damages == 0 && !walk->pending;
    flowdb_status status = FLOWDB_OK;
    if (frame->type > FL_FRAME_DATA && frame->type != FL_FRAME_PARTITION && walk->seen[frame->type])
        return fl_fail(FLOWDB_CORRUPTION, "a part of which a table has one comes twice");
    switch (frame->type) {
    case FL_FRAME_DATA:
        status = take_block(walk, frame, offset, size);
        break;
    case FL_FRAME_FILTER:
        status = compare ? fl_contents_check_filter(contents, frame) : FLOWDB_OK;
        break;
    case FL_FRAME_TOMBSTONES:
        status = take_tombstones(walk, frame);
        break;
    case FL_FRAME_PARTITION:
        if (compare)
            status = fl_contents_check_partition(contents, &walk->unpacker, frame, offset, size);
        break;
    case FL_FRAME_ROOT:
        status = compare ? fl_contents_check_root(contents, &walk->unpacker, frame) : FLOWDB_OK;
        break;
    case FL_FRAME_PROPERTIES:
        status = note_properties(walk, frame);
        if (status == FLOWDB_OK && compare)
            status = fl_contents_check_properties(contents, frame);
        break;
    }
    if (status == FLOWDB_OK)
        walk->seen[frame->type] = true;
    return status;
}

/* ---------------------------------------------------------------------------------------- walk -- */

static flowdb_status read_footer(struct walk *walk) {
    uint8_t tail[FL_FOOTER_MAX];
    size_t size = (size_t)FL_MIN(walk->size, (uint64_t)sizeof tail);
    flowdb_status status = read_bytes(walk, walk->size - size, tail, size);
    if (status == FLOWDB_OK)
        status = fl_footer_decode(tail, size, walk->id, walk->size, &walk->footer);
    if (status == FLOWDB_OK) {
        walk->footer_whole = true;
        walk->end = walk->size - FL_FOOTER_SIZE;
    } else if (status == FLOWDB_CORRUPTION) {
        report(walk, walk->size - FL_MIN(walk->size, (uint64_t)FL_FOOTER_SIZE),
               flowdb_last_error());
        return FLOWDB_OK;
    }
    return status;
}

/* What is left of a footer that was reported already. */
static bool is_footer_rest(const struct walk *walk, uint64_t offset) {
    return !walk->footer_whole && walk->end - offset <= FL_FOOTER_SIZE;
}

static flowdb_status walk_frames(struct walk *walk) {
    for (uint64_t at = 0; at < walk->end && !is_footer_rest(walk, at);) {
        struct fl_frame frame;
        uint64_t size = 0;
        flowdb_status status = read_frame(walk, at, &frame, &size);
        bool whole = status == FLOWDB_OK;
        if (whole)
            status = take_frame(walk, &frame, at, size);
        if (status != FLOWDB_OK && status != FLOWDB_CORRUPTION)
            return status;
        if (status == FLOWDB_CORRUPTION)
            note_damage(walk, at);
        if (whole) {
            at += size;
            continue;
        }
        at++;
        status = find_frame(walk, &at);
        if (status != FLOWDB_OK)
            return status;
    }
    flush_pending(walk, NULL);
    return FLOWDB_OK;
}

/* Frames that were left out without a trace, the footer among them: the parts that are there must be
   those that it names. */
static void check_parts(struct walk *walk) {
    const struct fl_footer *footer = &walk->footer;
    if (walk->footer_whole && walk->found->damages == 0 &&
        (walk->seen[FL_FRAME_FILTER] != (footer->filter.size > 0) ||
         walk->seen[FL_FRAME_TOMBSTONES] != (footer->tombstones.size > 0) ||
         walk->seen[FL_FRAME_ROOT] != (footer->root.size > 0) ||
         walk->seen[FL_FRAME_DATA] != (footer->root.size > 0) || !walk->seen[FL_FRAME_PROPERTIES]))
        report(walk, walk->end, "the footer does not name the parts that are there");
    bool said = walk->footer_whole                ? footer->tombstones.size > 0
                : walk->seen[FL_FRAME_PROPERTIES] ? walk->tombstones_said > 0
                                                  : true;
    walk->found->tombstones_lost =
        walk->found->damages > 0 && said && !walk->seen[FL_FRAME_TOMBSTONES];
    walk->found->row_count = walk->contents.properties.row_count;
    walk->found->max_seq = walk->contents.properties.max_seq;
}

/* What the reader itself says of a table in which nothing was found. */
static flowdb_status check_opens(struct walk *walk, const struct fl_env *env, const char *path) {
    struct fl_table *table;
    if (walk->found->damages > 0)
        return FLOWDB_OK;
    flowdb_status status = fl_table_open(env, path, walk->id, walk->size, &table);
    if (status == FLOWDB_CORRUPTION)
        report(walk, 0, flowdb_last_error());
    if (status == FLOWDB_OK)
        fl_table_unref(table);
    return status == FLOWDB_CORRUPTION ? FLOWDB_OK : status;
}

flowdb_status fl_table_examine(const struct fl_env *env, const char *path, uint64_t table_id,
                               const struct fl_examiner *examiner, struct fl_examined *examined) {
    *examined = (struct fl_examined){0};
    struct walk walk = {
        .alloc = env->alloc, .id = table_id, .examiner = examiner, .found = examined};
    flowdb_status status = fl_fs_open(env->fs, path, FL_OPEN_READ, &walk.file);
    if (status != FLOWDB_OK)
        return status;
    fl_unpacker_init(&walk.unpacker, env->alloc);
    fl_buffer_init(&walk.bytes, env->alloc);
    fl_contents_init(&walk.contents, env->alloc);
    status = fl_file_size(walk.file, &walk.size);
    walk.end = walk.size;
    if (status == FLOWDB_OK)
        status = read_footer(&walk);
    if (status == FLOWDB_OK)
        status = walk_frames(&walk);
    if (status == FLOWDB_OK) {
        check_parts(&walk);
        status = check_opens(&walk, env, path);
    }
    fl_contents_deinit(&walk.contents);
    fl_buffer_deinit(&walk.bytes);
    fl_unpacker_deinit(&walk.unpacker);
    fl_file_close(walk.file);
    return status;
}
