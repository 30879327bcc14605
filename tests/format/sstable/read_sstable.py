"""Reads SSTables as docs/formats/sstable.md describes them: a second reader, independent of the library.

    read_sstable.py FILE TABLE_ID     prints the rows and range tombstones as rows.txt has them
"""

import ctypes
import sys

MASK = (1 << 64) - 1
NEVER = (1 << 63) - 1
DATA, FILTER, TOMBSTONES, PARTITION, ROOT, PROPERTIES = range(1, 7)

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
_lz4 = ctypes.CDLL("liblz4.so.1")
_zstd = ctypes.CDLL("libzstd.so.1")
_zstd.ZSTD_decompress.restype = ctypes.c_size_t
_zstd.ZSTD_decompress.argtypes = [
    ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


class Corruption(Exception):
    pass


def check(fine, what):
    if not fine:
        raise Corruption(what)


def number(data, at, size):
    return int.from_bytes(data[at : at + size], "little")


def signed(value):
    value &= MASK
    return value - (1 << 64) if value >> 63 else value


def xxh3(data, seed):
    return _xxhash.XXH3_64bits_withSeed(data, len(data), seed)


def checksum(data, table_id, offset):
    seed = (table_id * 0x9E3779B97F4A7C15 ^ (offset + 0xD1B54A32D192ED03)) & MASK
    return xxh3(data, seed) or 1


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def signed_varint(data, at):
    value, at = varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def entries(data):
    """tag u8 | size varint | bytes, to the end."""
    at = 0
    while at < len(data):
        tag = data[at]
        size, at = varint(data, at + 1)
        check(at + size <= len(data), "an entry passes the end")
        yield tag, data[at : at + size]
        at += size


def decompress(codec, stored, raw):
    if codec == 0:
        check(len(stored) == raw, "sizes")
        return stored
    out = ctypes.create_string_buffer(raw)
    if codec == 1:
        got = _lz4.LZ4_decompress_safe(stored, out, len(stored), raw)
    else:
        check(codec == 2, "codec")
        got = _zstd.ZSTD_decompress(out, raw, stored, len(stored))
    check(got == raw, "decompression")
    return out.raw


class Frame:
    def __init__(self, data, offset, size, kind, table_id):
        frame = data[offset : offset + size]
        check(number(frame, 0, 8) == checksum(frame[8:], table_id, offset), "checksum")
        stored, raw, fields = number(frame, 8, 4), number(frame, 12, 4), number(frame, 18, 2)
        check(20 + fields + stored == size and frame[16] == kind, "frame")
        self.fields = dict(entries(frame[20 : 20 + fields]))
        check(all(tag < 128 or tag in (0x81, 0x82) for tag in self.fields), "newer field")
        self.payload = decompress(frame[17], frame[20 + fields :], raw)


def integers(encoding, data, count):
    at = 0
    value = slope = 0
    if encoding != 2:
        value, at = signed_varint(data, at)
    if encoding in (1, 4):
        slope, at = signed_varint(data, at)
    if encoding <= 1:
        check(at == len(data), "integers")
        return [(value + i * slope) & MASK for i in range(count)]
    values = []
    while len(values) < count:
        least, at = signed_varint(data, at)
        width = data[at]
        at += 1
        group = min(128, count - len(values))
        if encoding == 5:
            residues = [least] * group
            place = -1
            for _ in range(width):
                check(place < data[at] < group, "places of steps")
                place = data[at]
                residues[place], at = signed_varint(data, at + 1)
        else:
            size = (group * width + 7) // 8
            bits = number(data, at, size)
            at += size
            residues = [least + (bits >> (j * width) & (1 << width) - 1) for j in range(group)]
        for residue in residues:
            if encoding == 4:
                slope += residue
                residue = slope
            if encoding >= 3:
                value += residue
                residue = value
            values.append(residue & MASK)
    check(at == len(data), "integers")
    return values


class Columns:
    def __init__(self, frame):
        directory = frame.fields[0x81]
        self.rows, at = varint(directory, 0)
        self.keys_count, at = varint(directory, at)
        self.columns = {}
        place = 0
        while at < len(directory):
            id, encoding = directory[at], directory[at + 1]
            size, at = varint(directory, at + 2)
            check(id not in self.columns and (id <= 24 or id >= 128), "column")
            self.columns[id] = encoding, frame.payload[place : place + size]
            place += size
        check(place == len(frame.payload), "columns do not fill the payload")

    def bytes(self, id):
        return self.columns.get(id, (0, b""))[1]

    def integers(self, id, count=None):
        encoding, data = self.columns[id]
        return integers(encoding, data, self.rows if count is None else count)

    def pieces(self, id, sizes, count):
        """The column's bytes cut into pieces of the sizes in another one."""
        data = self.bytes(id)
        if sizes in self.columns:
            lengths = self.integers(sizes, count)
        else:
            lengths = [len(data) // count] * count
        check(sum(lengths) == len(data), "sizes")
        pieces, at = [], 0
        for length in lengths:
            pieces.append(data[at : at + length])
            at += length
        return pieces

    def keys(self):
        count = self.keys_count
        encoding, data = self.columns[3]
        if encoding == 1:
            rest = [data[i::count] for i in range(count)]
        else:
            rest = self.pieces(3, 2, count)
        return [self.bytes(1) + key for key in rest]

    def ramp(self, id, runs):
        """Column id by itself, or first values with differences inside each run."""
        if id + 1 not in self.columns:
            return self.integers(id)
        firsts = self.integers(id + 1, self.keys_count)
        differences = iter(self.integers(id, self.rows - self.keys_count))
        values = []
        for first, run in zip(firsts, runs):
            values.append(first)
            for _ in range(run - 1):
                values.append((values[-1] + next(differences)) & MASK)
        return values

    def decimals(self, scale, trimmed, runs):
        for number in map(signed, self.ramp(22, runs)):
            digits = str(abs(number)).rjust(scale + 1, "0")
            whole, part = digits[: len(digits) - scale], digits[len(digits) - scale :]
            part = part.rstrip("0") if trimmed else part
            yield (("-" if number < 0 else "") + whole + ("." + part if part else "")).encode()

    def values(self, runs):
        if 13 not in self.columns:
            return [b""] * self.rows
        encoding, data = self.columns[13]
        check(encoding <= 3, "newer encoding of values")
        if encoding == 3:
            return self.decimals_and_odd(data[:-2], *data[-2:], runs)
        return [data] * self.rows if encoding == 0 else self.pieces(13, 12, self.rows)

    def decimals_and_odd(self, odd, scale, form, runs):
        check(scale <= 18 and form <= 1, "scale and form")
        values = list(self.decimals(scale, form == 1, runs))
        rows = self.bytes(24)
        count = len(rows) // 2
        sizes = self.integers(12, count) if 12 in self.columns else [len(odd) // max(count, 1)] * count
        check(sum(sizes) == len(odd), "odd values")
        for i, size in enumerate(sizes):
            values[number(rows, 2 * i, 2)], odd = odd[:size], odd[size:]
        return values


def block_rows(columns):
    """(op, key, ts, seq, expire_at, value) of each row."""
    keys, count = columns.keys(), columns.rows
    runs = columns.integers(4, len(keys)) if 4 in columns.columns else [1] * len(keys)
    check(sum(runs) == count, "runs")
    ts = columns.ramp(5, runs)
    seq = columns.ramp(7, runs)
    if 9 in columns.columns:
        expire = columns.integers(9)
    elif 10 in columns.columns:
        expire = [t + lifetime for t, lifetime in zip(ts, columns.integers(10))]
    else:
        expire = [NEVER] * count
    deletes = number(columns.bytes(11), 0, (count + 7) // 8)
    row_keys = [key for key, run in zip(keys, runs) for _ in range(run)]
    for row, value in enumerate(columns.values(runs)):
        op = "delete" if deletes >> row & 1 else "put"
        if op == "delete":
            value = b""
        yield op, row_keys[row], signed(ts[row]), seq[row], signed(expire[row]), value


SALTS = [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31]


def filter_has(data, key):
    hash = xxh3(key, 0)
    block = (hash >> 32) * (len(data) // 32) >> 32
    return all(
        number(data, block * 32 + 4 * i, 4) >> ((hash & 0xFFFFFFFF) * salt % (1 << 32) >> 27) & 1
        for i, salt in enumerate(SALTS))


class Table:
    def __init__(self, data, table_id):
        check(data[-8:] == b"FLWTABLE", "magic")
        size = number(data, len(data) - 12, 4)
        place = len(data) - size
        footer = data[place:]
        check(number(footer, 0, 8) == checksum(footer[8:], table_id, place), "footer")
        check(number(footer, 104, 4) == 1 and number(footer, 96, 8) == 0, "newer version")
        check(number(footer, 8, 8) == table_id and number(footer, 16, 8) == len(data), "footer")
        self.data, self.table_id = data, table_id
        self.data_end = number(footer, 24, 8)
        self.filter, self.tombstones, self.root, self.properties = (
            (number(footer, at, 8), number(footer, at + 8, 8)) for at in (32, 48, 64, 80))
        check(self.filter[0] == self.data_end, "filter")
        check(self.tombstones[0] == sum(self.filter), "range tombstones")
        check(self.properties[0] == sum(self.root) and sum(self.properties) == place, "properties")

    def frame(self, offset, size, kind):
        return Frame(self.data, offset, size, kind, self.table_id)

    def level(self, columns):
        """(offset, size, rows, first key, first ts, min ts, max ts, min expire, max expire) of each."""
        place = columns.integers(19, 1)[0]
        first_ts, below, span = columns.integers(5), columns.integers(14), columns.integers(15)
        expires = 9 in columns.columns
        soonest = columns.integers(9) if expires else [NEVER] * columns.rows
        lasting = columns.integers(16) if expires else [0] * columns.rows
        keys, rows, sizes = columns.keys(), columns.integers(17), columns.integers(18)
        for i in range(columns.rows):
            low = first_ts[i] - below[i]
            yield (place, sizes[i], rows[i], keys[i], signed(first_ts[i]), signed(low),
                   signed(low + span[i]), signed(soonest[i]), signed(soonest[i] + lasting[i]))
            place += sizes[i]

    def blocks(self):
        """Index entries of all data blocks."""
        place, block_place = sum(self.tombstones), 0
        if self.root[1] > 0:
            for entry in self.level(Columns(self.frame(*self.root, ROOT))):
                check(entry[0] == place, "partitions")
                found = list(self.level(Columns(self.frame(entry[0], entry[1], PARTITION))))
                check(len(found) == entry[2] and found[0][3:5] == entry[3:5], "partition")
                check(min(b[5] for b in found) == entry[5] and max(b[6] for b in found) == entry[6]
                      and min(b[7] for b in found) == entry[7]
                      and max(b[8] for b in found) == entry[8], "ranges of a partition")
                for block in found:
                    check(block[0] == block_place, "blocks")
                    block_place += block[1]
                    yield block
                place += entry[1]
        check(place == self.root[0] and block_place == self.data_end, "the index covers the file")

    def rows(self):
        for offset, size, count, key, first_ts, low, high, soonest, latest in self.blocks():
            rows = list(block_rows(Columns(self.frame(offset, size, DATA))))
            check(len(rows) == count and rows[0][1:3] == (key, first_ts), "index entry")
            check(min(r[2] for r in rows) == low and max(r[2] for r in rows) == high, "ts range")
            check(min(r[4] for r in rows) == soonest and max(r[4] for r in rows) == latest, "expiry")
            yield from rows

    def range_tombstones(self):
        """(start, end, seq, first ts, last ts) of each."""
        if self.tombstones[1] == 0:
            return
        columns = Columns(self.frame(*self.tombstones, TOMBSTONES))
        ends = columns.pieces(21, 20, columns.rows)
        numbers = zip(columns.keys(), ends, columns.integers(7), columns.integers(5),
                      columns.integers(15))
        for start, end, seq, first, span in numbers:
            yield start, end, seq, signed(first), signed(first + span)

    def filter_bytes(self):
        if self.filter[1] == 0:
            return None
        frame = self.frame(*self.filter, FILTER)
        check(frame.fields[0x82] == b"\x01", "kind of filter")
        return frame.payload

    def properties_read(self):
        frame = self.frame(*self.properties, PROPERTIES)
        found = dict(entries(frame.payload))
        return {
            tag: value if tag <= 2 else number(value, 0, 8)
            for tag, value in found.items()}


def lines(table):
    def text(value):
        return (value.hex() or "-") if isinstance(value, bytes) else str(value)

    for row in table.rows():
        yield " ".join(map(text, row))
    for tombstone in table.range_tombstones():
        yield " ".join(["delete_range", *map(text, tombstone)])


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        for line in lines(Table(file.read(), int(sys.argv[2]))):
            print(line)
