/* General compression: lz4 for tables that are merged soon, zstd for those that stay. */
#define ZSTD_STATIC_LINKING_ONLY /* contexts from our allocator; exported by the shared library too */
#include <lz4.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "table/frame.h"

static ZSTD_customMem memory_of(const struct fl_alloc *alloc) {
    return (ZSTD_customMem){alloc->allocate, alloc->release, alloc->context};
}

void fl_packer_init(struct fl_packer *packer, const struct fl_alloc *alloc,
                    const struct fl_table_options *options) {
    *packer = (struct fl_packer){
        .alloc = alloc, .codec = options->codec, .zstd_level = options->zstd_level};
}

void fl_packer_deinit(struct fl_packer *packer) {
    ZSTD_freeCCtx(packer->zstd);
    packer->zstd = NULL;
}

/* Compresses at one level; *size is 0 where there is too little room. */
static flowdb_status pack_at(struct fl_packer *packer, int level, flowdb_slice raw, uint8_t *out,
                             size_t room, size_t *size) {
    size_t packed = ZSTD_compressCCtx(packer->zstd, out, room, raw.data, raw.size, level);
    if (!ZSTD_isError(packed)) {
        *size = packed;
        return FLOWDB_OK;
    }
    switch (ZSTD_getErrorCode(packed)) {
    case ZSTD_error_dstSize_tooSmall:
        *size = 0;
        return FLOWDB_OK;
    case ZSTD_error_memory_allocation:
        return fl_fail_memory("zstd", raw.size);
    default:
        return fl_fail(FLOWDB_INVALID_ARGUMENT, "zstd: %s", ZSTD_getErrorName(packed));
    }
}

#define FAST_LEVEL 1
#define TRIALS 4       /* the first payloads are all tried at both levels */
#define TRIAL_EVERY 64 /* and then one in so many */
#define GAIN_PART 64   /* a payload must shrink by this part of itself to be worth the effort */

/* Is the smaller of two results, 0 where nothing came out, not much smaller? */
static bool does_as_well(size_t fast, size_t slow) {
    if (slow == 0 || fast == 0)
        return slow == 0;
    return fast <= slow + slow / GAIN_PART;
}

static flowdb_status pack_zstd(struct fl_packer *packer, flowdb_slice raw, uint8_t *out,
                               size_t room, size_t *size) {
    if (packer->zstd == NULL)
        packer->zstd = ZSTD_createCCtx_advanced(memory_of(packer->alloc));
    if (packer->zstd == NULL)
        return fl_fail_memory("a zstd context", 0);
    bool trial = packer->zstd_level > FAST_LEVEL &&
                 (packer->packed < TRIALS || packer->packed % TRIAL_EVERY == 0);
    packer->packed++;
    if (!trial)
        return pack_at(packer, packer->fast_wins >= TRIALS ? FAST_LEVEL : packer->zstd_level, raw,
                       out, room, size);
    size_t fast = 0;
    flowdb_status status = pack_at(packer, FAST_LEVEL, raw, out, room, &fast);
    if (status == FLOWDB_OK)
        status = pack_at(packer, packer->zstd_level, raw, out, room, size);
    if (status == FLOWDB_OK)
        packer->fast_wins = does_as_well(fast, *size) ? packer->fast_wins + 1 : 0;
    return status;
}

flowdb_status fl_packer_pack(struct fl_packer *packer, flowdb_slice raw, uint8_t *out, size_t room,
                             size_t *size) {
    if (packer->codec == FL_CODEC_ZSTD)
        return pack_zstd(packer, raw, out, room, size);
    int packed = LZ4_compress_default(raw.data, (char *)out, (int)raw.size, (int)room);
    *size = packed > 0 ? (size_t)packed : 0;
    return FLOWDB_OK;
}

void fl_unpacker_init(struct fl_unpacker *unpacker, const struct fl_alloc *alloc) {
    unpacker->alloc = alloc;
    for (size_t i = 0; i < FL_UNPACKER_SLOTS; i++)
        atomic_init(&unpacker->zstd[i], NULL);
}

void fl_unpacker_deinit(struct fl_unpacker *unpacker) {
    for (size_t i = 0; i < FL_UNPACKER_SLOTS; i++)
        ZSTD_freeDCtx(atomic_exchange(&unpacker->zstd[i], NULL));
}

static void *take_context(struct fl_unpacker *unpacker) {
    for (size_t i = 0; i < FL_UNPACKER_SLOTS; i++) {
        void *context = atomic_exchange(&unpacker->zstd[i], NULL);
        if (context != NULL)
            return context;
    }
    return ZSTD_createDCtx_advanced(memory_of(unpacker->alloc));
}

static void give_context(struct fl_unpacker *unpacker, void *context) {
    for (size_t i = 0; i < FL_UNPACKER_SLOTS; i++) {
        void *empty = NULL;
        if (atomic_compare_exchange_strong(&unpacker->zstd[i], &empty, context))
            return;
    }
    ZSTD_freeDCtx(context);
}

static flowdb_status unpack_zstd(struct fl_unpacker *unpacker, const struct fl_frame *frame,
                                 uint8_t *out) {
    void *context = take_context(unpacker);
    if (context == NULL)
        return fl_fail_memory("a zstd context", 0);
    size_t got = ZSTD_decompressDCtx(context, out, frame->raw_size, frame->payload.data,
                                     frame->payload.size);
    give_context(unpacker, context);
    if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
        return fl_fail_memory("zstd", frame->raw_size);
    if (got != frame->raw_size)
        return fl_fail(FLOWDB_CORRUPTION, "a zstd payload does not decompress");
    return FLOWDB_OK;
}

flowdb_status fl_frame_unpack(struct fl_unpacker *unpacker, const struct fl_frame *frame,
                              uint8_t *out) {
    if (frame->codec == FL_CODEC_ZSTD)
        return unpack_zstd(unpacker, frame, out);
    if (frame->codec == FL_CODEC_NONE) {
        if (frame->raw_size > 0)
            memcpy(out, frame->payload.data, frame->raw_size);
        return FLOWDB_OK;
    }
    int got = LZ4_decompress_safe(frame->payload.data, (char *)out, (int)frame->payload.size,
                                  (int)frame->raw_size);
    if (got < 0 || (uint32_t)got != frame->raw_size)
        return fl_fail(FLOWDB_CORRUPTION, "an lz4 payload does not decompress");
    return FLOWDB_OK;
}

flowdb_status fl_frame_raw(struct fl_unpacker *unpacker, const struct fl_frame *frame,
                           struct fl_buffer *buffer, const uint8_t **raw) {
    if (frame->codec == FL_CODEC_NONE) {
        *raw = frame->payload.data;
        return FLOWDB_OK;
    }
    buffer->size = 0;
    flowdb_status status = fl_buffer_reserve(buffer, frame->raw_size);
    if (status == FLOWDB_OK)
        status = fl_frame_unpack(unpacker, frame, buffer->data);
    if (status == FLOWDB_OK)
        *raw = buffer->data;
    return status;
}
