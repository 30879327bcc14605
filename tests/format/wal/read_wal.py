"""Reads logs as docs/formats/wal.md describes them: a second reader, independent of the library.

    read_wal.py FILE ID     prints the frames, as frames.txt has them
"""

import ctypes
import sys

MASK = (1 << 64) - 1
NEVER = (1 << 63) - 1
OPERATIONS = {1: "put", 2: "delete", 3: "range delete"}

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


class Damage(Exception):
    pass


def number(data, at, size):
    return int.from_bytes(data[at : at + size], "little")


def signed(data, at):
    return int.from_bytes(data[at : at + 8], "little", signed=True)


def checksum(data, owner, place):
    seed = (owner * 0x9E3779B97F4A7C15 & MASK) ^ (place + 0xD1B54A32D192ED03 & MASK)
    return _xxhash.XXH3_64bits_withSeed(bytes(data), len(data), seed) or 1


def entries(payload, count):
    """(operation, key, ts, expire_at, value) of each."""
    at = 0
    for _ in range(count):
        operation, zero = payload[at], payload[at + 1]
        key_size, value_size = number(payload, at + 2, 2), number(payload, at + 4, 4)
        end = at + 24 + key_size + value_size
        if operation not in OPERATIONS or zero != 0 or end > len(payload):
            raise Damage("entry")
        key, value = payload[at + 24 : at + 24 + key_size], payload[at + 24 + key_size : end]
        if operation == 3 and key and value and key >= value:
            raise Damage("range")
        yield OPERATIONS[operation], key, signed(payload, at + 8), signed(payload, at + 16), value
        at = end
    if at != len(payload):
        raise Damage("entries do not fill the payload")


class Frame:
    """A whole frame; None of its kind is made where there is none."""

    @staticmethod
    def at(data, log, offset):
        if offset + 72 > len(data) or number(data, offset + 32, 8) != offset:
            return None
        header = number(data, offset + 20, 2)
        payload = number(data, offset + 16, 4)
        if header < 72 or offset + header + payload > len(data):
            return None
        if number(data, offset + 24, 8) != log:
            return None
        if number(data, offset, 8) != checksum(data[offset + 8 : offset + header], log, offset):
            return None
        frame = Frame()
        frame.offset = offset
        frame.end = offset + header + payload
        frame.payload = data[offset + header : frame.end]
        if number(data, offset + 8, 8) != checksum(frame.payload, 0, 0):
            return None
        frame.type = data[offset + 22]
        frame.first = number(data, offset + 40, 8)
        frame.count = number(data, offset + 48, 4)
        frame.durable = number(data, offset + 56, 8), number(data, offset + 64, 8)
        return frame


class Log:
    def __init__(self, data, log):
        right = data[:7] == b"FLOWWAL" and number(data, 8, 8) == log
        if not right or number(data, 24, 8) != checksum(data[:24], log, 0):
            raise Damage("header")
        if data[7] > 1:
            raise Damage("newer format")
        self.previous = number(data, 16, 8)
        self.frames, self.next = [], None
        self.end = 32
        while self.next is None and (frame := Frame.at(data, log, self.end)):
            self.end = frame.end
            if frame.type == 2 and len(frame.payload) >= 8:
                self.next = number(frame.payload, 0, 8)
            elif frame.type == 1 and frame.count > 0:
                frame.entries = list(entries(frame.payload, frame.count))
                self.frames.append(frame)
            else:
                raise Damage("a whole frame of no known kind")
        rest = data[self.end :]
        self.torn = self.next is None and any(rest)
        later = (Frame.at(data, log, at) for at in range(self.end, len(data)))
        if self.torn and any(frame and frame.durable > (log, self.end) for frame in later):
            raise Damage(f"hole at {self.end}")


def lines(log):
    yield f"previous {log.previous}"
    for frame in log.frames:
        yield f"frame at {frame.offset}, durable {frame.durable[0]} {frame.durable[1]}"
        for i, (operation, key, ts, expire_at, value) in enumerate(frame.entries):
            expiry = "never" if expire_at == NEVER else expire_at
            yield f"  {frame.first + i} {operation} {key!r} {ts} {expiry} {value!r}"
    if log.next is not None:
        yield f"next {log.next}"
    yield f"{'torn' if log.torn else 'ends'} at {log.end}"


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print("\n".join(lines(Log(file.read(), int(sys.argv[2])))))
