"""The server as it ships, with a call to the system that does not return: who waits for it, and who not."""

import contextlib
import os
import select
import socket
import time
import unittest

from shim import ShimTest
from harness import DEADLINE, frame, record_bytes


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


class HeldDisk(ShimTest):
    """Writes on many more connections than there are threads, all of which wait for the disk."""

    WRITERS = 48

    def start_with(self, text):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.start_shimmed("--config", path)
        self.addCleanup(self.counters.hold)
        self.write({"key": "first", "ts": 1, "value": "v"}, {"key": "first", "ts": 2, "value": "v"})

    @contextlib.contextmanager
    def writers(self, size=1):
        """Connections with a write on each, and one of every other kind of it."""
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(self.connect()) for _ in range(self.WRITERS + 4)]
            for number, connection in enumerate(connections[4:]):
                connection.send_request("POST", "/write", b'{"records":[{"key":"w%d","ts":1,"value":"%b"}]}'
                                        % (number, b"x" * size))
            connections[0].send_request("POST", "/write/binary", frame(record_bytes(b"binary", 1, b"v")))
            connections[1].send_request("PATCH", "/record", b'{"key":"first","ts":1,"value":"patched"}')
            connections[2].send_request("DELETE", "/record?key=first&ts=2")
            connections[3].send_request("DELETE", "/range?prefix=nothing")
            yield connections

    def wait_for_held(self):
        until = time.monotonic() + DEADLINE
        while self.counters.held() == 0:
            self.assertLess(time.monotonic(), until, "nothing was held")

    def assert_others_are_answered(self):
        """While what is held stays held: whoever waits for that has no answer before its DEADLINE."""
        for _ in range(10):
            self.assert_alive()
            with self.server.connect() as other:
                self.assertGreaterEqual(other.request("GET", "/query?prefix=first").json["count"], 1)
                self.assertEqual(other.request("GET", "/metrics").status, 200)

    def assert_all_is_written(self, connections, size=1):
        for connection in connections:
            response = connection.read_response()
            self.assertEqual(response.status, 200, response.body)
        sizes = {(key, ts): len(value) for key, ts, _, value in self.query()}
        expected = {(b"w%d" % number, 1): size for number in range(self.WRITERS)}
        expected |= {(b"binary", 1): 1, (b"first", 1): len("patched")}
        self.assertEqual(sizes, expected)

    def test_writes_that_wait_for_a_sync_keep_nobody_waiting(self):
        self.start_with('http_threads = 1\n[engine]\nwal_sync = "always"\n')
        self.counters.hold("sync")
        with self.writers() as connections:
            self.wait_for_held()
            self.assert_others_are_answered()
            waiting = [connection.socket for connection in connections]
            self.assertEqual(select.select(waiting, [], [], 0)[0], [])
            self.counters.hold()
            self.assert_all_is_written(connections)

    def test_nor_do_those_that_wait_for_memory(self):
        self.start_with("http_threads = 1\n[engine]\nmemtable_size_mb = 1\nmax_frozen_memtables = 1\n")
        self.counters.hold("open")
        with self.writers(60000) as connections:
            self.wait_for_held()
            self.assert_others_are_answered()
            self.counters.hold()
            self.assert_all_is_written(connections, 60000)

    def test_nor_those_behind_one_that_the_disk_keeps(self):
        """It came upon one of two threads unawares, and that one stays; the other goes on."""
        self.start_with("http_threads = 2\n")
        self.counters.hold("write")
        with self.connect() as unawares:
            unawares.send_request("DELETE", "/record?key=absent&ts=1")
            self.wait_for_held()
            with self.writers() as connections:
                self.assert_others_are_answered()
                self.counters.hold()
                self.assert_all_is_written(connections)
            self.assertEqual(unawares.read_response().status, 200)

    def test_datagrams_wait_too(self):
        self.start_with("")
        self.counters.hold("write")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for ts in range(20):
                sender.sendto(frame(record_bytes(b"u", ts, b"v")), (self.server.host, self.server.udp_port))
            self.wait_for_held()
            self.assert_others_are_answered()
            self.counters.hold()
            until = time.monotonic() + DEADLINE
            while len(self.query(prefix="u")) < 20:
                self.assertLess(time.monotonic(), until)
        self.assertEqual(self.request("GET", "/stats").json["udp_packets_dropped"], 0)

    def test_a_stop_waits_until_all_are_written(self):
        self.start_with('http_threads = 1\n[engine]\nwal_sync = "always"\n')
        self.counters.hold("sync")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, self.writers() as connections:
            sender.sendto(frame(record_bytes(b"u", 1, b"v")), (self.server.host, self.server.udp_port))
            self.wait_for_held()
            self.assert_others_are_answered()
            self.server.signal(15)
            self.server.wait_for_line('msg="stopping"')
            self.assertIsNone(self.server.process.poll())
            self.counters.hold()
            for connection in connections:
                self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.server.wait(), 0)
        self.start()
        self.assertEqual(len(self.query(prefix="w")), self.WRITERS)
        self.assertEqual(len(self.query(prefix="u")), 1)


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
