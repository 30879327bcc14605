"""POST /write/binary: frames as datagrams carry them, back to back."""

import unittest

from harness import NEVER, ServerTest, frame, record_bytes


class Binary(ServerTest):
    def send(self, body):
        return self.request("POST", "/write/binary", body)

    def test_records_come_back_as_they_were_sent(self):
        body = frame(record_bytes(b"a", 1, b"one"), record_bytes(b"b", -5, b"\x00\xff", ttl=60),
                     record_bytes(b"c", 2**62, b""))
        response = self.send(body)
        self.assertEqual((response.status, response.json), (200, {"written": 3, "expired": 1}))
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"one"), (b"c", 2**62, NEVER, b"")])

    def test_a_time_to_live_counts_from_the_timestamp(self):
        far = 4102444800 * 10**6
        self.assertEqual(self.send(frame(record_bytes(b"a", far, b"v", ttl=7))).status, 200)
        self.assertEqual(self.query(), [(b"a", far, far + 7 * 10**6, b"v")])

    def test_several_frames_are_one_write(self):
        frames = [frame(record_bytes(b"k", ts, b"v")) for ts in range(50)]
        frames.append(frame(record_bytes(b"k", 99, b"v"), version=2, key=b"whatever"))
        frames.append(frame())
        response = self.send(b"".join(frames))
        self.assertEqual((response.status, response.json), (200, {"written": 51}))
        self.assertEqual(len(self.query()), 51)

    def test_a_body_in_any_pieces_is_read_alike(self):
        body = frame(*[record_bytes(b"key-%d" % i, i, b"v" * i) for i in range(40)])
        for piece in (1, 3, 7, 100):
            self.connection.send(b"POST /write/binary HTTP/1.1\r\nHost: x\r\n"
                                 b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), piece):
                part = body[at:at + piece]
                self.connection.send(b"%x\r\n%s\r\n" % (len(part), part))
            self.connection.send(b"0\r\n\r\n")
            self.assertEqual(self.connection.read_response().json, {"written": 40})

    def test_what_is_wrong_is_said_and_changes_nothing(self):
        good = frame(record_bytes(b"a", 1, b"v"))
        for body, words in ((b"", ["middle"]), (b"\x54", ["middle"]), (b"\x55" + good[1:], ["no frame"]),
                            (b"\x54\x03" + good[2:], ["version"]), (good[:-1], ["middle"]),
                            (good + b"\x54", ["middle"]), (good + b"x", ["frame 0", "no frame"]),
                            (frame(record_bytes(b"a", 1, b"v"), count=2), ["middle"]),
                            (good + frame(record_bytes(b"", 1, b"v")), ["frame 1", "empty"]),
                            (frame(record_bytes(b"k" * 4097, 1, b"v")), ["max_key_bytes"]),
                            (frame(record_bytes(b"k", 2**63 - 5, b"v", ttl=1)), ["ttl"]),
                            (good + frame(count=10001), ["10000"]),
                            (frame(count=10001), ["10000"])):
            with self.subTest(words):
                self.assert_error(self.send(body), 400, *words)
        self.assertEqual(self.query(), [])

    def test_it_takes_a_body_of_the_largest_records(self):
        value = bytes(range(256)) * 255
        body = frame(*[record_bytes(b"k" * 4096, ts, value) for ts in range(100)])
        self.assertEqual(self.send(body).json, {"written": 100})
        rows = self.query(prefix="k", limit=3)
        self.assertEqual([(row[1], row[3]) for row in rows], [(ts, value) for ts in range(3)])


if __name__ == "__main__":
    unittest.main()
