"""Long answers: complete, from one moment, and in memory that does not grow with them."""

import os
import unittest

from harness import NEVER, Response, ServerTest, decode_records

BATCHES = 30
BATCH = 1000
VALUE_SIZE = 1000
MEMORY_KB_MAX = 8 << 10


class Streaming(ServerTest):
    def setUp(self):
        super().setUp()
        for batch in range(BATCHES):
            self.write(*({"key": "k", "ts": batch * BATCH + i,
                          "value": f"{batch * BATCH + i:0{VALUE_SIZE}}"} for i in range(BATCH)))

    def assert_complete(self, response):
        records = decode_records(response.json)
        self.assertEqual(len(records), BATCHES * BATCH)
        for ts, record in enumerate(records):
            self.assertEqual(record, (b"k", ts, NEVER, b"%0*d" % (VALUE_SIZE, ts)))

    def test_a_long_answer_is_complete(self):
        response = self.request("GET", "/query")
        self.assertEqual(response.headers["transfer-encoding"], "chunked")
        self.assert_complete(response)
        self.assertEqual(self.request("GET", "/health").status, 200)

    def test_http_1_0_gets_it_without_chunks(self):
        self.connection.send(b"GET /query HTTP/1.0\r\n\r\n")
        response = self.connection.read_response()
        self.assertNotIn("transfer-encoding", response.headers)
        self.assert_complete(response)

    def test_head_of_a_long_answer_has_no_body(self):
        self.connection.send_request("HEAD", "/query")
        status, headers = self.connection.read_head()
        self.assertEqual((status, headers["connection"].lower()), (200, "close"))
        self.assertEqual(self.connection.read_to_end(), b"")

    def test_memory_does_not_grow_with_the_answer(self):
        size = len(self.request("GET", "/query").body)
        self.assertGreater(size, 4 * MEMORY_KB_MAX * 1024)
        before = self.server.memory_kb("VmRSS")
        self.server.reset_memory_peak()
        for _ in range(3):
            self.assertEqual(len(self.request("GET", "/query").body), size)
        self.assertLess(self.server.memory_kb("VmHWM") - before, MEMORY_KB_MAX)

    def test_readers_that_stall_hold_little_and_hold_up_nobody(self):
        self.request("GET", "/query")
        self.server.reset_memory_peak()
        before = self.server.memory_kb("VmRSS")
        stalled = [self.connect() for _ in range(10)]
        for connection in stalled:
            connection.send_request("GET", "/query")
            self.assertEqual(connection.read_head()[0], 200)
        self.write({"key": "later", "ts": 1})
        self.assertEqual(len(self.query(prefix="later")), 1)
        self.assertLess(self.server.memory_kb("VmHWM") - before, 2 * MEMORY_KB_MAX)

    def test_an_answer_is_from_one_moment(self):
        self.connection.send_request("GET", "/query")
        head = self.connection.read_head()
        self.assertEqual(head[0], 200)
        with self.server.connect() as other:
            self.assertEqual(other.request("DELETE", "/range?key_start=&key_end=").status, 200)
            self.assertEqual(other.request("POST", "/write",
                                           '{"records":[{"key":"l","ts":1}]}').status, 200)
            self.assertEqual(other.request("GET", "/query").json["count"], 1)
        self.assert_complete(Response(*head, self.connection.read_chunks()))

    def test_who_hangs_up_leaves_nothing_behind(self):
        files = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        for _ in range(100):
            with self.server.connect() as connection:
                connection.send_request("GET", "/query")
                connection.read_head()
        self.assert_alive()
        # The server closes with its last iterator gone, or says that there are some.
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(files, 64)
        self.assertFalse([line for line in self.server.log if "level=error" in line])

    def test_a_record_longer_than_a_part_fits(self):
        value = "x" * 65536
        self.write(*({"key": "long", "ts": ts, "value": value} for ts in range(20)))
        records = self.query(prefix="long")
        self.assertEqual([(ts, len(found)) for _, ts, _, found in records],
                         [(ts, 65536) for ts in range(20)])


if __name__ == "__main__":
    unittest.main()
