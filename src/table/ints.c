/*
 * Encoding looks at a column four ways (values, differences, differences of differences, and
 * differences of which most are the same) and takes the one that comes out smallest. The first three
 * are the same code over other residues.
 *
 * The delta encodings pretend that the column goes on to the left of its first value as it begins
 * on the right of it, so the first residues are like those behind them and every group starts at a
 * multiple of FL_INTS_GROUP values.
 */
#include "table/ints.h"

#include "base/bytes.h"
#include "base/coding.h"

#define WORD_SLACK 16 /* bytes behind packed ones that unpack may read */

static unsigned bit_width(uint64_t value) {
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

/* A byte for each seven bits that were begun, and one for 0. */
static size_t varint_size(uint64_t value) {
    return ((63 - (size_t)__builtin_clzll(value | 1)) * 9 + 73) / 64;
}

static size_t packed_size(size_t count, unsigned width) {
    return (count * width + 7) / 8;
}

static uint64_t zigzag(uint64_t value) {
    return fl_zigzag((int64_t)value);
}

size_t fl_ints_bound(size_t count) {
    size_t groups = count / FL_INTS_GROUP + 1;
    return (groups + 2) * (FL_VARINT_MAX + 1) + count * sizeof(uint64_t) + WORD_SLACK;
}

/* ---------------------------------------------------------------------------------- encoding -- */

/* Running value and slope in front of the first residue. */
struct origin {
    uint64_t value, slope;
};

static struct origin origin_of(const uint64_t *values, size_t count,
                               enum fl_ints_encoding encoding) {
    uint64_t slope = count > 1 ? values[1] - values[0] : 0, change = 0;
    if (encoding == FL_INTS_DELTA_DELTAS && count > 2)
        change = values[2] - values[1] - slope;
    slope -= change;
    return (struct origin){.value = values[0] - slope, .slope = slope - change};
}

/* The residues of values[start .. start + n) as the encoding sees them. */
static void load_residues(const uint64_t *values, size_t start, size_t n, struct origin origin,
                          enum fl_ints_encoding encoding, uint64_t *residues) {
    if (encoding == FL_INTS_PACKED) {
        memcpy(residues, values + start, n * sizeof *residues);
        return;
    }
    residues[0] = values[start] - (start > 0 ? values[start - 1] : origin.value);
    for (size_t i = 1; i < n; i++)
        residues[i] = values[start + i] - values[start + i - 1];
    if (encoding == FL_INTS_DELTAS)
        return;
    uint64_t before = origin.slope;
    if (start > 1)
        before = values[start - 1] - values[start - 2];
    for (size_t i = 0; i < n; i++) {
        uint64_t slope = residues[i];
        residues[i] = slope - before;
        before = slope;
    }
}

/* The least residue (as a signed number) and the width of what the others are above it. */
static unsigned residue_range(const uint64_t *residues, size_t n, uint64_t *least) {
    int64_t low = (int64_t)residues[0], high = low;
    for (size_t i = 1; i < n; i++) {
        low = FL_MIN(low, (int64_t)residues[i]);
        high = FL_MAX(high, (int64_t)residues[i]);
    }
    *least = (uint64_t)low;
    return bit_width((uint64_t)high - (uint64_t)low);
}

/* Writes the low `width` bits of each value above `least`; may touch WORD_SLACK bytes more. */
static uint8_t *pack(const uint64_t *values, size_t count, uint64_t least, unsigned width,
                     uint8_t *out) {
    uint64_t word = 0;
    unsigned filled = 0;
    uint8_t *at = out;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = values[i] - least;
        word |= value << filled;
        filled += width;
        if (filled >= 64) {
            fl_put_u64(at, word);
            at += 8;
            filled -= 64;
            word = filled > 0 ? value >> (width - filled) : 0;
        }
    }
    if (filled > 0)
        fl_put_u64(at, word);
    return out + packed_size(count, width);
}

static size_t header_size(struct origin origin, enum fl_ints_encoding encoding) {
    switch (encoding) {
    case FL_INTS_DELTAS:
        return varint_size(zigzag(origin.value));
    case FL_INTS_DELTA_DELTAS:
        return varint_size(zigzag(origin.value)) + varint_size(zigzag(origin.slope));
    default:
        return 0;
    }
}

static uint8_t *encode_grouped(const uint64_t *values, size_t count, enum fl_ints_encoding encoding,
                               uint8_t *out) {
    uint64_t residues[FL_INTS_GROUP], least;
    struct origin origin = origin_of(values, count, encoding);
    if (encoding != FL_INTS_PACKED)
        out = fl_put_varint(out, zigzag(origin.value));
    if (encoding == FL_INTS_DELTA_DELTAS)
        out = fl_put_varint(out, zigzag(origin.slope));
    for (size_t start = 0; start < count; start += FL_INTS_GROUP) {
        size_t n = FL_MIN(count - start, FL_INTS_GROUP);
        load_residues(values, start, n, origin, encoding, residues);
        unsigned width = residue_range(residues, n, &least);
        out = fl_put_varint(out, zigzag(least));
        *out++ = (uint8_t)width;
        out = pack(residues, n, least, width, out);
    }
    return out;
}

/* ------------------------------------------------------------------------------------- steps -- */

/* What more than half of the residues are, if there is such a number (Boyer and Moore's vote). */
static uint64_t majority_of(const uint64_t *residues, size_t n) {
    uint64_t candidate = 0;
    size_t votes = 0;
    for (size_t i = 0; i < n; i++) {
        candidate = votes == 0 ? residues[i] : candidate;
        votes += residues[i] == candidate ? 1 : (size_t)-1;
    }
    return candidate;
}

/* Looks at a group: its step, how many differences are others, and the bytes of these. Without
   branches, for which ones are others cannot be foreseen. */
static size_t exceptions_of(const uint64_t *residues, size_t n, uint64_t *step, size_t *count) {
    const uint64_t most = majority_of(residues, n);
    size_t bytes = 0, others = 0;
    for (size_t i = 0; i < n; i++) {
        size_t other = residues[i] != most;
        bytes += (1 + varint_size(zigzag(residues[i]))) & (0 - other);
        others += other;
    }
    *step = most;
    *count = others;
    return bytes;
}

/* Gives up, and says so by SIZE_MAX, once it takes no less than `enough`. */
static size_t steps_size(const uint64_t *values, size_t count, size_t enough) {
    uint64_t residues[FL_INTS_GROUP], step;
    struct origin origin = origin_of(values, count, FL_INTS_DELTAS);
    size_t size = varint_size(zigzag(origin.value)), exceptions;
    for (size_t start = 0; start < count; start += FL_INTS_GROUP) {
        size_t n = FL_MIN(count - start, FL_INTS_GROUP);
        load_residues(values, start, n, origin, FL_INTS_DELTAS, residues);
        size += exceptions_of(residues, n, &step, &exceptions);
        size += varint_size(zigzag(step)) + 1;
        if (size >= enough)
            return SIZE_MAX;
    }
    return size;
}

static uint8_t *encode_steps(const uint64_t *values, size_t count, uint8_t *out) {
    uint64_t residues[FL_INTS_GROUP], step;
    struct origin origin = origin_of(values, count, FL_INTS_DELTAS);
    size_t exceptions;
    out = fl_put_varint(out, zigzag(origin.value));
    for (size_t start = 0; start < count; start += FL_INTS_GROUP) {
        size_t n = FL_MIN(count - start, FL_INTS_GROUP);
        load_residues(values, start, n, origin, FL_INTS_DELTAS, residues);
        exceptions_of(residues, n, &step, &exceptions);
        out = fl_put_varint(out, zigzag(step));
        *out++ = (uint8_t)exceptions;
        for (size_t i = 0; i < n; i++) {
            if (residues[i] == step)
                continue;
            *out++ = (uint8_t)i;
            out = fl_put_varint(out, zigzag(residues[i]));
        }
    }
    return out;
}

/* -------------------------------------------------------------------------------- which way -- */

static bool is_affine(const uint64_t *values, size_t count, uint64_t *step) {
    *step = count > 1 ? values[1] - values[0] : 0;
    for (size_t i = 2; i < count; i++) {
        if (values[i] - values[i - 1] != *step)
            return false;
    }
    return true;
}

/* Signed numbers lie between these. */
struct span {
    int64_t low, high;
};

static inline void widen(struct span *span, uint64_t value) {
    span->low = FL_MIN(span->low, (int64_t)value);
    span->high = FL_MAX(span->high, (int64_t)value);
}

static size_t span_size(const struct span *span, size_t n) {
    unsigned width = bit_width((uint64_t)span->high - (uint64_t)span->low);
    return varint_size(zigzag((uint64_t)span->low)) + 1 + packed_size(n, width);
}

/* What the groups take in each of the encodings of residues, found in one pass: their least and
   greatest are chains that do not wait for one another. `values` are three at least. */
static void grouped_sizes(const uint64_t *values, size_t count, size_t sizes[FL_INTS_LAST + 1]) {
    for (enum fl_ints_encoding way = FL_INTS_PACKED; way <= FL_INTS_DELTA_DELTAS; way++)
        sizes[way] = header_size(origin_of(values, count, way), way);
    uint64_t last = values[1], slope = values[1] - values[0];
    for (size_t start = 0; start < count; start += FL_INTS_GROUP) {
        size_t end = FL_MIN(start + FL_INTS_GROUP, count), i = start;
        const struct span none = {INT64_MAX, INT64_MIN};
        struct span packed = none, deltas = none, delta_deltas = none;
        if (start == 0) { /* by their origins the first residues are as the ones behind them */
            widen(&packed, values[0]);
            widen(&packed, values[1]);
            widen(&deltas, slope);
            i = 2;
        }
        for (; i < end; i++) {
            uint64_t delta = values[i] - last;
            widen(&packed, values[i]);
            widen(&deltas, delta);
            widen(&delta_deltas, delta - slope);
            slope = delta;
            last = values[i];
        }
        sizes[FL_INTS_PACKED] += span_size(&packed, end - start);
        sizes[FL_INTS_DELTAS] += span_size(&deltas, end - start);
        sizes[FL_INTS_DELTA_DELTAS] += span_size(&delta_deltas, end - start);
    }
}

size_t fl_ints_measure(const uint64_t *values, size_t count, enum fl_ints_encoding *encoding) {
    uint64_t step;
    if (is_affine(values, count, &step)) {
        *encoding = step == 0 ? FL_INTS_CONSTANT : FL_INTS_AFFINE;
        return varint_size(zigzag(values[0])) + (step != 0 ? varint_size(zigzag(step)) : 0);
    }
    size_t sizes[FL_INTS_LAST + 1];
    grouped_sizes(values, count, sizes);
    *encoding = FL_INTS_PACKED;
    for (enum fl_ints_encoding way = FL_INTS_DELTAS; way <= FL_INTS_DELTA_DELTAS; way++) {
        if (sizes[way] < sizes[*encoding])
            *encoding = way;
    }
    size_t smallest = sizes[*encoding], size = steps_size(values, count, smallest);
    if (size >= smallest)
        return smallest;
    *encoding = FL_INTS_STEPS;
    return size;
}

size_t fl_ints_encode(const uint64_t *values, size_t count, enum fl_ints_encoding encoding,
                      uint8_t *out) {
    uint8_t *end;
    if (fl_ints_is_affine((uint8_t)encoding)) {
        end = fl_put_varint(out, zigzag(values[0]));
        if (encoding == FL_INTS_AFFINE)
            end = fl_put_varint(end, zigzag(values[1] - values[0]));
    } else if (encoding == FL_INTS_STEPS) {
        end = encode_steps(values, count, out);
    } else {
        end = encode_grouped(values, count, encoding, out);
    }
    return (size_t)(end - out);
}

/* ---------------------------------------------------------------------------------- decoding -- */

static const uint8_t *get_zigzag(const uint8_t *at, const uint8_t *end, uint64_t *value) {
    at = fl_get_varint(at, end, value);
    if (at != NULL)
        *value = (uint64_t)fl_unzigzag(*value);
    return at;
}

/* Adds `least` to `count` numbers of `width` bits; reads up to WORD_SLACK bytes behind them. */
static void unpack(const uint8_t *from, unsigned width, uint64_t least, uint64_t *values,
                   size_t count) {
    if (width == 0) {
        for (size_t i = 0; i < count; i++)
            values[i] = least;
        return;
    }
    uint64_t mask = UINT64_MAX >> (64 - width);
    size_t bit = 0;
    if (width <= 57) {
        for (size_t i = 0; i < count; i++, bit += width)
            values[i] = least + ((fl_get_u64(from + bit / 8) >> (bit % 8)) & mask);
        return;
    }
    for (size_t i = 0; i < count; i++, bit += width) {
        unsigned shift = bit % 8;
        uint64_t word = fl_get_u64(from + bit / 8) >> shift;
        if (shift > 0)
            word |= (uint64_t)from[bit / 8 + 8] << (64 - shift);
        values[i] = least + (word & mask);
    }
}

static bool read_group(struct fl_ints_reader *reader, uint64_t *values, size_t count) {
    uint64_t least;
    const uint8_t *at = get_zigzag(reader->at, reader->end, &least);
    if (at == NULL || at == reader->end)
        return false;
    unsigned width = *at++;
    size_t size = packed_size(count, width), there = (size_t)(reader->end - at);
    if (width > 64 || size > there)
        return false;
    if (there - size >= WORD_SLACK) {
        unpack(at, width, least, values, count);
    } else {
        uint8_t copy[FL_INTS_GROUP * sizeof(uint64_t) + WORD_SLACK];
        memcpy(copy, at, size);
        memset(copy + size, 0, WORD_SLACK);
        unpack(copy, width, least, values, count);
    }
    reader->at = at + size;
    return true;
}

/* The differences of a group of steps. */
static bool read_steps(struct fl_ints_reader *reader, uint64_t *values, size_t count) {
    uint64_t step;
    const uint8_t *at = get_zigzag(reader->at, reader->end, &step);
    if (at == NULL || at == reader->end)
        return false;
    for (size_t i = 0; i < count; i++)
        values[i] = step;
    size_t exceptions = *at++;
    for (size_t least = 0; exceptions > 0; exceptions--) {
        if (at == reader->end || *at < least || *at >= count)
            return false;
        size_t place = *at++;
        at = get_zigzag(at, reader->end, &values[place]);
        if (at == NULL)
            return false;
        least = place + 1;
    }
    reader->at = at;
    return true;
}

/* The residues of a group. */
static bool read_residues(struct fl_ints_reader *reader, uint64_t *values, size_t count) {
    return reader->encoding == FL_INTS_STEPS ? read_steps(reader, values, count)
                                             : read_group(reader, values, count);
}

bool fl_ints_reader_init(struct fl_ints_reader *reader, uint8_t encoding, const uint8_t *bytes,
                         size_t size, size_t count) {
    *reader = (struct fl_ints_reader){
        .at = bytes, .end = bytes + size, .left = count, .encoding = encoding};
    if (encoding > FL_INTS_LAST)
        return false;
    if (encoding != FL_INTS_PACKED)
        reader->at = get_zigzag(reader->at, reader->end, &reader->value);
    if (reader->at != NULL && (encoding == FL_INTS_AFFINE || encoding == FL_INTS_DELTA_DELTAS))
        reader->at = get_zigzag(reader->at, reader->end, &reader->slope);
    return reader->at != NULL;
}

bool fl_ints_reader_next(struct fl_ints_reader *reader, uint64_t *values, size_t *got) {
    size_t count = FL_MIN(reader->left, FL_INTS_GROUP);
    uint64_t value = reader->value, slope = reader->slope;
    *got = count;
    if (count == 0)
        return reader->at == reader->end;
    if (!fl_ints_is_affine(reader->encoding) && !read_residues(reader, values, count))
        return false;
    switch (reader->encoding) {
    case FL_INTS_CONSTANT:
    case FL_INTS_AFFINE:
        for (size_t i = 0; i < count; i++, value += slope)
            values[i] = value;
        break;
    case FL_INTS_DELTAS:
    case FL_INTS_STEPS:
        for (size_t i = 0; i < count; i++)
            values[i] = value += values[i];
        break;
    case FL_INTS_DELTA_DELTAS:
        for (size_t i = 0; i < count; i++) {
            slope += values[i];
            values[i] = value += slope;
        }
        break;
    default:
        break;
    }
    reader->value = value;
    reader->slope = slope;
    reader->left -= count;
    return reader->left > 0 || reader->at == reader->end;
}

bool fl_ints_decode(uint8_t encoding, const uint8_t *bytes, size_t size, uint64_t *values,
                    size_t count) {
    struct fl_ints_reader reader;
    size_t got;
    if (!fl_ints_reader_init(&reader, encoding, bytes, size, count))
        return false;
    do {
        if (!fl_ints_reader_next(&reader, values, &got))
            return false;
        values += got;
    } while (reader.left > 0);
    return true;
}

bool fl_ints_decode_affine(uint8_t encoding, const uint8_t *bytes, size_t size, uint64_t *base,
                           uint64_t *step) {
    struct fl_ints_reader reader;
    if (!fl_ints_is_affine(encoding) || !fl_ints_reader_init(&reader, encoding, bytes, size, 0) ||
        reader.at != reader.end)
        return false;
    *base = reader.value;
    *step = reader.slope;
    return true;
}
