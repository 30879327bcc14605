"""Compressed bodies and answers."""

import gzip
import json
import random
import unittest

from harness import NEVER, ServerTest, decode_records, frame, record_bytes

GZIP = ("Content-Encoding", "gzip")
BODY = json.dumps({"records": [{"key": f"key-{i}", "ts": i, "value": "v" * 50} for i in range(500)]})


class Bodies(ServerTest):
    def send(self, body, target="/write", headers=(GZIP,)):
        return self.request("POST", target, body, headers)

    def test_a_compressed_body_is_read_as_what_it_holds(self):
        self.assertEqual(self.send(gzip.compress(BODY.encode())).json, {"written": 500})
        self.assertEqual(len(self.query()), 500)
        body = gzip.compress(frame(record_bytes(b"b", 1, b"v")))
        self.assertEqual(self.send(body, "/write/binary").json, {"written": 1})

    def test_in_any_pieces_and_members(self):
        middle = len(BODY) // 2
        members = gzip.compress(BODY[:middle].encode()) + gzip.compress(BODY[middle:].encode())
        for piece in (1, 10, 1000):
            self.connection.send(b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
                                 b"Transfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(members), piece):
                part = members[at:at + piece]
                self.connection.send(b"%x\r\n%s\r\n" % (len(part), part))
            self.connection.send(b"0\r\n\r\n")
            self.assertEqual(self.connection.read_response().json, {"written": 500})

    def test_what_is_no_gzip_is_refused_and_changes_nothing(self):
        good = gzip.compress(BODY.encode())
        broken = bytearray(good)
        broken[len(good) // 2] ^= 0xff
        checksum = bytearray(good)
        checksum[-5] ^= 1
        for body in (good[:-1], good[:30], good[:5], BODY.encode(), bytes(checksum), good + b"x"):
            self.assert_error(self.send(body), 400, "gzip")
        self.assert_error(self.send(bytes(broken)), 400)
        self.assertEqual(self.query(), [])

    def test_a_bomb_is_refused_before_it_is_taken_apart(self):
        self.server.reset_memory_peak()
        before = self.server.memory_kb("VmHWM")
        bomb = gzip.compress(b" " * (100 << 20))
        self.assertLess(len(bomb), 1 << 20)
        self.assert_error(self.send(bomb), 413, "16777216")
        # Of 100 MiB; ThreadSanitizer keeps several bytes for each that is touched.
        self.assertLess(self.server.memory_kb("VmHWM") - before, 40 << 10)
        self.connection = self.connect()
        self.assert_alive()

    def test_other_codings_are_not_known(self):
        for coding in ("deflate", "br", "gzip, gzip", "zstd"):
            response = self.send(BODY, headers=(("Content-Encoding", coding),))
            self.assert_error(response, 415, "gzip")
        self.assertEqual(self.send(BODY, headers=(("Content-Encoding", "identity"),)).status, 200)


class Answers(ServerTest):
    def setUp(self):
        super().setUp()
        generator = random.Random(1)
        self.rows = [{"key": f"key-{i:05}", "ts": i, "value": str(generator.random())}
                     for i in range(9000)]
        self.write(*self.rows)

    def get(self, target, coding):
        return self.request("GET", target, None, (("Accept-Encoding", coding),))

    def test_long_answers_are_compressed_for_those_who_ask(self):
        plain = self.request("GET", "/query")
        for coding in ("gzip", "deflate, gzip;q=0.5", "GZIP ; q=1", "br,gzip"):
            packed = self.get("/query", coding)
            self.assertEqual(packed.headers["content-encoding"], "gzip", coding)
            self.assertLess(len(packed.body), len(plain.body) // 2)
            self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertEqual(len(decode_records(plain.json)), 9000)

    def test_whole_answers_too_and_short_ones_not(self):
        packed = self.get("/query?limit=30", "gzip")
        self.assertEqual(packed.headers["content-encoding"], "gzip")
        self.assertEqual(json.loads(gzip.decompress(packed.body))["count"], 30)
        short = self.get("/query?limit=1", "gzip")
        self.assertNotIn("content-encoding", short.headers)
        self.assertEqual(decode_records(short.json)[0][2], NEVER)

    def test_not_for_those_who_refuse_it(self):
        for coding in ("identity", "gzip;q=0", "gzip; q=0.000", "xgzip", "gzipped", ""):
            self.assertNotIn("content-encoding", self.get("/query", coding).headers, coding)
        self.assertIn("Accept-Encoding", self.request("GET", "/query").headers["vary"])

    def test_a_head_says_the_same_without_the_body(self):
        with self.server.connect() as connection:
            response = connection.request("HEAD", "/query?limit=30", None,
                                          (("Accept-Encoding", "gzip"),))
            self.assertEqual((response.status, response.headers["content-encoding"]), (200, "gzip"))


if __name__ == "__main__":
    unittest.main()
