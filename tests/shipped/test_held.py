"""The server as it ships, with a call to the system that does not return: who waits for it, and who not."""

import os
import select
import unittest

from shim import ShimTest


class Configured(ShimTest):
    def configure(self, text):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "[engine]\nauto_background = false\n")
        return "--config", path


class Held(Configured):
    def setUp(self):
        super().setUp()
        self.start_shimmed(*self.configure("http_threads = 1\n"))
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.request("POST", "/admin/flush", b"")

    def test_what_takes_long_keeps_nobody_waiting(self):
        with self.connect() as slow:
            with self.held("link", lambda: slow.send_request("POST", "/admin/checkpoint",
                                                             b'{"name":"one"}')):
                self.assert_alive()
                self.assertEqual(len(self.query()), 1)
                self.write({"key": "b", "ts": 1})
                self.assertEqual(select.select([slow.socket], [], [], 0)[0], [])
            self.assertEqual(slow.read_response("POST").json,
                             {"ok": True, "message": "checkpoint made"})
            self.assertEqual(slow.request("POST", "/admin/flush", b"").status, 200)

    def test_nor_does_a_large_write(self):
        body = b'{"records":[' + b",".join(b'{"key":"l","ts":%d,"value":"%b"}' % (ts, b"x" * 60000)
                                           for ts in range(20)) + b"]}"
        with self.connect() as slow:
            with self.held("write", lambda: slow.send_request("POST", "/write", body)):
                self.assert_alive()
                self.assertEqual(len(self.query()), 1)
                self.assertEqual(select.select([slow.socket], [], [], 0)[0], [])
            self.assertEqual(slow.read_response("POST").json, {"written": 20})
        self.assertEqual(len(self.query()), 21)

    def test_a_stop_waits_for_it(self):
        with self.connect() as slow:
            with self.held("link", lambda: slow.send_request("POST", "/admin/checkpoint",
                                                             b'{"name":"one"}')):
                self.server.signal(15)
                self.server.wait_for_line('msg="stopping"')
                self.assertIsNone(self.server.process.poll())
            self.assertEqual(slow.read_response("POST").status, 200)
        self.assertEqual(self.server.wait(), 0)


class SlowReads(Configured):
    """Reads that wait for the disk, on one of two threads."""

    def setUp(self):
        super().setUp()
        config = self.configure("http_threads = 2\nrequest_timeout_secs = 1\n")
        self.start(*config)
        self.write(*({"key": "k", "ts": ts, "value": "v"} for ts in range(2000)))
        self.request("POST", "/admin/flush", b"")
        self.assertEqual(self.server.stop(), 0)
        self.start_shimmed(*config)

    def reads(self):
        with self.server.connect() as other:
            return other.request("GET", "/admin/queries").json["running"]

    def ended_while_held(self, until):
        with self.connect() as slow:
            with self.held("read", lambda: slow.send_request("GET", "/query")):
                self.assert_alive()
                until()
            response = slow.read_response()
        # What it held is free again: closing the database would refuse.
        self.assertEqual(self.reads(), [])
        self.assertEqual(self.request("GET", "/query").json["count"], 2000)
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(response.headers["retry-after"], "1")
        return response

    def test_a_query_that_takes_too_long_is_told_so(self):
        def wait():
            while self.reads()[0]["duration_ms"] < 1000:
                pass
        self.assert_error(self.ended_while_held(wait), 503, "request_timeout_secs")

    def test_one_that_is_cancelled_too(self):
        def cancel():
            with self.server.connect() as other:
                response = other.request("POST", "/admin/queries/cancel", {"id": self.reads()[0]["id"]})
                self.assertEqual(response.status, 200)
        self.assert_error(self.ended_while_held(cancel), 503, "cancelled")


if __name__ == "__main__":
    unittest.main()
