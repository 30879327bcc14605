"""Datagrams: stored whole or dropped, with and without a key."""

import os
import socket
import time
import unittest

from harness import DEADLINE, NEVER, ServerTest, frame, record_bytes, seeded_random

KEY = b"datagram-key"


def now_us():
    return time.time_ns() // 1000


class UdpTest(ServerTest):
    def setUp(self):
        super().setUp()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)

    def send(self, *datagrams):
        for datagram in datagrams:
            self.socket.sendto(datagram, (self.server.host, self.server.udp_port))

    def settle(self, **records):
        """Sends records until one is there, and what came before it with it: datagrams of one socket on
        this machine arrive in order."""
        for attempt in range(DEADLINE * 100):
            self.send(self.sign(record_bytes(b"~last", attempt, b"v")))
            if any(row[1] == attempt for row in self.query(prefix="~last")):
                break
        else:
            self.fail("no datagram arrives")
        return [row for row in self.query() if not row[0].startswith(b"~")]

    def sign(self, *records):
        return frame(*records)


class Plain(UdpTest):
    def test_records_of_datagrams_are_stored(self):
        self.send(frame(record_bytes(b"a", 1, b"one"), record_bytes(b"b", -2, b"")),
                  frame(record_bytes(b"c", 3, b"\xff"), version=2))
        self.assertEqual(self.settle(), [(b"a", 1, NEVER, b"one"), (b"b", -2, NEVER, b""),
                                         (b"c", 3, NEVER, b"\xff")])

    def test_a_bad_datagram_leaves_no_trace(self):
        good = frame(record_bytes(b"a", 1, b"v"), record_bytes(b"b", 1, b"v"))
        self.send(b"", b"\x54", good[:-1], good + b"x", b"\x55" + good[1:], b"\x54\x07" + good[2:],
                  frame(record_bytes(b"a", 1, b"v"), record_bytes(b"", 1, b"v")),
                  frame(record_bytes(b"a", 1, b"v"), count=2),
                  frame(record_bytes(b"a", 1, b"v" * 1400)),
                  frame(record_bytes(b"a", 2**63 - 1, b"v", ttl=1)))
        self.assertEqual(self.settle(), [])

    def test_the_largest_packet_is_taken_and_one_more_byte_is_not(self):
        room = 1400 - len(frame(record_bytes(b"a", 1, b"")))
        self.send(frame(record_bytes(b"a", 1, b"v" * room)),
                  frame(record_bytes(b"b", 1, b"v" * (room + 1))))
        self.assertEqual(self.settle(), [(b"a", 1, NEVER, b"v" * room)])

    def test_malformed_datagrams_by_the_thousand_do_no_harm(self):
        random = seeded_random()
        good = frame(*[record_bytes(b"key", ts, b"value") for ts in range(20)])
        for _ in range(20000):
            bad = bytearray(good[:random.randrange(len(good) + 1)])
            for _ in range(random.randrange(1, 4)):
                if bad:
                    bad[random.randrange(min(8, len(bad)))] ^= 1 << random.randrange(8)
            self.send(bytes(bad))
        self.settle()
        self.assert_alive()

    def test_what_arrived_before_the_end_is_stored(self):
        self.send(*[frame(record_bytes(b"k", ts, b"v")) for ts in range(200)])
        self.connection.close()
        self.assertEqual(self.server.stop(), 0)
        self.start()
        self.assertEqual([row[1] for row in self.query()], list(range(200)))


class Signed(UdpTest):
    starts_server = False

    def setUp(self):
        super().setUp()
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "wb") as file:
            file.write(b'udp_api_key = "%s"\n' % KEY)
        self.config = path
        self.before = now_us()
        self.start("--config", path)

    def sign(self, *records, sent_at=None, key=KEY):
        return frame(*records, version=2, sent_at=now_us() if sent_at is None else sent_at, key=key)

    def test_signed_frames_are_taken_and_others_are_not(self):
        record = record_bytes(b"a", 1, b"v")
        good = self.sign(record_bytes(b"good", 1, b"v"))
        flipped = bytearray(self.sign(record))
        flipped[-1] ^= 1
        self.send(good, frame(record), self.sign(record, key=b"wrong"), bytes(flipped),
                  frame(record, version=2))
        self.assertEqual(self.settle(), [(b"good", 1, NEVER, b"v")])

    def test_a_frame_counts_once(self):
        first = self.sign(record_bytes(b"a", 1, b"wrong"))
        self.send(first, self.sign(record_bytes(b"a", 1, b"corrected")), first)
        self.assertEqual(self.settle(), [(b"a", 1, NEVER, b"corrected")])

    def test_frames_of_another_time_are_not_taken(self):
        record = record_bytes(b"a", 1, b"v")
        for sent_at in (0, self.before - 1, now_us() - 301 * 10**6, now_us() + 330 * 10**6, 2**63 - 1,
                        -2**63):
            self.send(self.sign(record, sent_at=sent_at))
        self.send(self.sign(record_bytes(b"ahead", 1, b"v"), sent_at=now_us() + 200 * 10**6))
        self.assertEqual(self.settle(), [(b"ahead", 1, NEVER, b"v")])

    def test_a_frame_of_before_the_start_is_not_taken_again(self):
        recorded = self.sign(record_bytes(b"a", 1, b"old"))
        self.send(recorded)
        self.settle()
        self.request("PATCH", "/record", {"key": "a", "ts": 1, "value": "new"})
        self.connection.close()
        self.server.stop()
        self.start("--config", self.config)
        self.send(recorded)
        self.assertEqual(self.settle(), [(b"a", 1, NEVER, b"new")])


class Off(ServerTest):
    arguments = ("--udp-addr", "")

    def test_an_empty_address_turns_it_off(self):
        self.assertEqual(self.server.udp_port, 0)
        self.assert_alive()


if __name__ == "__main__":
    unittest.main()
