"""Reads manifests as docs/formats/manifest.md describes them: a second reader, independent of the library.

    read_manifest.py FOLDER     prints the state that CURRENT leads to, as state.txt has it
"""

import ctypes
import pathlib
import re
import sys

MASK = (1 << 64) - 1

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


class Damage(Exception):
    pass


class NewerFormat(Exception):
    pass


def number(data, at, size):
    return int.from_bytes(data[at : at + size], "little")


def checksum(data, owner, place):
    seed = (owner * 0x9E3779B97F4A7C15 & MASK) ^ (place + 0xD1B54A32D192ED03 & MASK)
    return _xxhash.XXH3_64bits_withSeed(bytes(data), len(data), seed) or 1


def varint(data, at):
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80 and value <= MASK:
            return value, at
    raise Damage("varint")


class State:
    def __init__(self):
        self.next_id, self.last_seq, self.log, self.latest_time = 1, 0, 0, -(1 << 63)
        self.tables = {}

    def apply(self, payload):
        at, added, removed = 0, {}, []
        while at < len(payload):
            tag, at = varint(payload, at)
            size, at = varint(payload, at)
            field = payload[at : at + size]
            at += size
            if tag == 0 or at > len(payload):
                raise Damage("field")
            if 6 < tag < 64:
                raise NewerFormat(f"field {tag}")
            if tag > 6:
                continue
            value, behind = varint(field, 0)
            if tag == 1:
                self.next_id = value
            elif tag == 2:
                self.last_seq = value
            elif tag == 3:
                self.log = value
            elif tag == 4:
                self.latest_time = (value >> 1) ^ -(value & 1)
            elif tag == 5:
                removed.append(value)
            else:
                added[value] = varint(field, behind)[0]
        if not self.tables.keys() >= set(removed) or self.tables.keys() & added.keys():
            raise Damage("tables")
        for table in removed:
            del self.tables[table]
        self.tables |= added


def frame(data, manifest, at):
    """The payload and the end of the whole frame at this offset, or None."""
    size = number(data, at + 16, 4)
    if at + 24 + size > len(data) or number(data, at + 8, 8) != at:
        return None
    if number(data, at, 8) != checksum(data[at + 8 : at + 24 + size], manifest, at):
        return None
    if data[at + 20] != 1:
        raise NewerFormat("frame")
    return data[at + 24 : at + 24 + size], at + 24 + size


def read_manifest(data, manifest):
    """The state, and where the last whole edit ends."""
    right = data[:7] == b"FLOWMAN" and number(data, 8, 8) == manifest
    if not right or number(data, 16, 8) != checksum(data[:16], manifest, 0):
        raise Damage("header")
    if data[7] > 1:
        raise NewerFormat("version")
    state, at = State(), 24
    while found := frame(data, manifest, at):
        state.apply(found[0])
        at = found[1]
    if at == 24 or any(frame(data, manifest, later) for later in range(at + 1, len(data))):
        raise Damage(f"hole at {at}")
    return state, at


def read_current(text):
    """The number of the manifest that it names."""
    match = re.fullmatch(rb"(MANIFEST-(\d{6,})) ([0-9a-f]{16})\n", text)
    if not match or int(match[3], 16) != checksum(match[1], 0, 0):
        raise Damage("CURRENT")
    return int(match[2])


def lines(folder):
    folder = pathlib.Path(folder)
    manifest = read_current((folder / "CURRENT").read_bytes())
    data = (folder / f"MANIFEST-{manifest:06}").read_bytes()
    state, end = read_manifest(data, manifest)
    yield f"manifest {manifest}"
    yield f"next id {state.next_id}"
    yield f"last sequence number {state.last_seq}"
    yield f"log {state.log}"
    yield f"latest time {state.latest_time}"
    for table, size in state.tables.items():
        yield f"table {table}, {size} bytes"
    yield f"{len(data) - end} bytes torn"


if __name__ == "__main__":
    print("\n".join(lines(sys.argv[1])))
