"""Connections that are too slow, idle or too many: which are ended, and that the others are not.

How slow exactly is tests/unit/http/test_pace.c's to say, on a clock of its own; here the limits are
their least, a second, and it is seen that they hold on a socket.
"""

import os
import re
import resource
import select
import socket
import unittest

from harness import Connection, ServerTest

BODY = b'{"records":[{"key":"a","ts":1,"value":"v"}]}'
POST = b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"


class Limited(ServerTest):
    starts_server = False
    settings = ""

    def setUp(self):
        super().setUp()
        config = os.path.join(self.folder, "flowdb.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(self.settings)
        self.start("--config", config)

    def cuts(self):
        """reason: count of the connections that the server ended."""
        with self.server.connect() as connection:
            text = connection.request("GET", "/metrics").body.decode()
        return {reason: int(count) for reason, count in
                re.findall(r'^flowdb_http_connections_cut_total\{reason="(\w+)"\} (\d+)$', text, re.M)
                if count != "0"}

    def assert_drips_until_cut(self, connection, data):
        """Sends a byte now and then, which the server does not bear for ever."""
        for byte in data:
            if select.select([connection.socket], [], [], 0.2)[0]:
                self.assertTrue(connection.is_closed())
                return
            try:
                connection.send(bytes([byte]))
            except OSError:
                return
        self.fail("it was let be")


class Slow(Limited):
    settings = "header_timeout_secs = 1\nidle_timeout_secs = 600\n"

    def test_headers_that_do_not_end_are_not_waited_for(self):
        stopped, again = self.connect(), self.connect()
        stopped.send(b"GET /hea")
        self.assertEqual(again.request("GET", "/health").status, 200)
        again.send(b"GET /heal")
        self.assertTrue(stopped.is_closed())
        # What of the next request comes after the last one's end is seen to be one.
        self.assert_drips_until_cut(again, b"th HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000)
        self.assertEqual(self.cuts(), {"slow_headers": 2})

    def test_nor_is_a_body_that_comes_byte_by_byte(self):
        stopped, dripping, chunked = self.connect(), self.connect(), self.connect()
        stopped.send(POST + b"\r\n{")
        chunked.send(b"POST /write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunked.send(b"1\r\n \r\n" * 100)
        dripping.send(POST + b"\r\n{")
        self.assert_drips_until_cut(dripping, b" " * 999)
        self.assertTrue(stopped.is_closed())
        self.assertTrue(chunked.is_closed())
        self.assertEqual(self.cuts(), {"slow_body": 3})
        self.assertEqual(self.query(), [])

    def test_nor_is_one_that_was_refused_already(self):
        dripping = self.connect()
        dripping.send(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        self.assert_drips_until_cut(dripping, b" " * 999)
        self.assertEqual(self.cuts(), {"slow_body": 1})

    def test_silence_between_requests_is_something_else(self):
        silent, used = self.connect(), self.connect()
        self.assertEqual(used.request("GET", "/health").status, 200)
        slow = self.connect()
        slow.send(b"G")
        self.assertTrue(slow.is_closed())
        for connection in (silent, used):
            self.assertEqual(connection.request("GET", "/health").status, 200)
        self.assertEqual(self.cuts(), {"slow_headers": 1})


class Steady(Limited):
    settings = "header_timeout_secs = 4\nmin_body_bytes_per_sec = 2048\n"

    def test_a_body_that_keeps_to_the_rate_may_take_longer(self):
        padding = b" " * 4096
        self.connection.send(b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" %
                             (len(BODY) + 24 * len(padding)))
        for _ in range(24):  # six seconds
            self.assertEqual(select.select([self.connection.socket], [], [], 0.25)[0], [])
            self.connection.send(padding)
        self.connection.send(BODY)
        self.assertEqual(self.connection.read_response().status, 200)
        self.assertEqual(self.cuts(), {})


class AnyRate(Limited):
    settings = "header_timeout_secs = 1\nmin_body_bytes_per_sec = 0\n"

    def test_a_slow_body_is_waited_for_where_that_is_wished(self):
        writer, slow = self.connect(), self.connect()
        writer.send(b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        slow.send(b"G")
        self.assertTrue(slow.is_closed())
        writer.send(BODY)
        self.assertEqual(writer.read_response().status, 200)


class Idle(Limited):
    settings = "idle_timeout_secs = 3\n"

    def test_connections_on_which_nothing_happens_are_closed(self):
        silent, used = self.connect(), self.connect()
        self.assertEqual(used.request("GET", "/health").status, 200)
        self.assertTrue(silent.is_closed())
        self.assertTrue(used.is_closed())
        self.assertEqual(self.cuts().get("idle"), 2 + 1)  # with the test's own


class Crowded(Limited):
    # One thread takes connections in the order in which they come.
    settings = "max_connections = 5\nhttp_threads = 1\n"

    def crowd(self, count):
        self.connection.close()
        return [self.connect() for _ in range(count)]

    def test_the_oldest_that_never_asked_goes_first(self):
        used = self.connection
        self.assertEqual(used.request("GET", "/health").status, 200)
        silent = [self.connect() for _ in range(4)]
        silent[1].send(b"GET /health HT")
        silent[2].send(POST + b"\r\n{")
        for connection in silent[:3]:
            newest = self.connect()
            self.assertEqual(newest.request("GET", "/health").status, 200)
            self.assertTrue(connection.is_closed())
        self.assertEqual(used.request("GET", "/health").status, 200)
        self.assertEqual(silent[3].request("GET", "/health").status, 200)
        self.assertGreaterEqual(self.cuts()["max_connections"], 3)

    def test_then_the_oldest_that_waits_for_its_next(self):
        used = [self.connection] + [self.connect() for _ in range(4)]
        for connection in used:
            self.assertEqual(connection.request("GET", "/health").status, 200)
        self.assertEqual(self.connect().request("GET", "/health").status, 200)
        self.assertTrue(used[0].is_closed())
        for connection in used[1:]:
            self.assertEqual(connection.request("GET", "/health").status, 200)

    def test_what_is_being_answered_stays_and_the_newest_goes(self):
        value = "v" * 60000
        for ts in range(0, 300, 100):
            self.write(*({"key": "k", "ts": ts + i, "value": value} for i in range(100)))
        readers = [self.connection] + [self.connect() for _ in range(4)]
        for reader in readers:
            reader.send_request("GET", "/query?format=ndjson")
            self.assertEqual(reader.read_head()[0], 200)
        self.assertTrue(self.connect().is_closed())
        for reader in readers:
            self.assertEqual(reader.read_chunks().count(b"\n"), 300)
        self.assert_alive()

    def test_thousands_that_hang_on_hold_few_descriptors(self):
        before = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        self.crowd(1000)
        self.assert_alive()
        after = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        self.assertLess(after - before, 5 + 16)


class FromOneAddress(Limited):
    settings = "max_connections_per_ip = 2\nhttp_threads = 1\n"

    def connect_from(self, address):
        connection = Connection(self.server.host, self.server.port)
        connection.socket.close()
        connection.socket = socket.create_connection((self.server.host, self.server.port),
                                                     source_address=(address, 0))
        self.addCleanup(connection.close)
        return connection

    def test_each_has_its_share(self):
        others = [self.connect_from("127.0.0.2") for _ in range(2)]
        own = [self.connect_from("127.0.0.3") for _ in range(3)]
        self.assertTrue(own[0].is_closed())
        for connection in others + own[1:]:
            self.assertEqual(connection.request("GET", "/health").status, 200)


class Granted(ServerTest):
    starts_server = False

    def test_connections_leave_descriptors_to_the_database(self):
        self.start(limits={resource.RLIMIT_NOFILE: 100})
        line = self.server.wait_for_line("grants fewer descriptors")
        self.assertIn('max_connections="75"', line)
        for _ in range(150):
            self.connection = self.connect()
        self.write({"key": "a", "ts": 1})
        self.assertEqual(self.request("POST", "/admin/flush", b"").status, 200)


if __name__ == "__main__":
    unittest.main()
