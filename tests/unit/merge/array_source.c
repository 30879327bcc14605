#include "array_source.h"

#include "base/bytes.h"

int compare_rows(const struct fl_row *a, const struct fl_row *b) {
    int order = fl_slice_compare(a->key, b->key);
    return order != 0 ? order : a->ts < b->ts ? -1 : a->ts > b->ts;
}

static struct array_source *source_of(struct fl_source *base) {
    return (struct array_source *)(void *)base;
}

static flowdb_status show(struct array_source *source) {
    source->base.valid = source->at < source->count;
    if (source->base.valid)
        source->base.row =
            source->rows[source->reverse ? source->count - 1 - source->at : source->at];
    return FLOWDB_OK;
}

static flowdb_status fails(struct array_source *source) {
    if (++source->calls != source->fail_at)
        return FLOWDB_OK;
    source->base.valid = false;
    return fl_fail(FLOWDB_IO_ERROR, "a source was told to fail");
}

static flowdb_status array_seek(struct fl_source *base, flowdb_slice key, int64_t ts) {
    struct array_source *source = source_of(base);
    if (fails(source) != FLOWDB_OK)
        return FLOWDB_IO_ERROR;
    source->at = 0;
    struct fl_row from = {.key = key, .ts = ts};
    while (key.size > 0 && source->at < source->count) {
        size_t i = source->reverse ? source->count - 1 - source->at : source->at;
        int order = compare_rows(&source->rows[i], &from);
        if (source->reverse ? order <= 0 : order >= 0)
            break;
        source->at++;
    }
    return show(source);
}

static flowdb_status array_next(struct fl_source *base) {
    struct array_source *source = source_of(base);
    if (fails(source) != FLOWDB_OK)
        return FLOWDB_IO_ERROR;
    source->at++;
    return show(source);
}

/* Sometimes less than it could be. */
static size_t array_run(const struct fl_source *base, flowdb_slice key, int64_t ts) {
    const struct array_source *source = (const struct array_source *)(const void *)base;
    struct fl_row bound = {.key = key, .ts = ts};
    size_t run = 0;
    for (size_t at = source->at + 1; at < source->count; at++, run++) {
        size_t i = source->reverse ? source->count - 1 - at : at;
        int order = compare_rows(&source->rows[i], &bound);
        if (source->reverse ? order <= 0 : order >= 0)
            break;
    }
    return source->at % 3 == 0 ? run / 2 : run;
}

static void array_close(struct fl_source *base) {
    source_of(base)->closed++;
}

void array_source_init(struct array_source *source, const struct fl_row *rows, size_t count,
                       bool reverse) {
    static const struct fl_source_ops ops = {
        .seek = array_seek, .next = array_next, .run = array_run, .close = array_close};
    *source = (struct array_source){
        .base = {.ops = &ops}, .rows = rows, .count = count, .reverse = reverse};
}
