"""Flags, starting, listening, and every way to stop."""

import os
import signal
import socket
import unittest

from harness import NEVER, ServerTest, run


class Flags(unittest.TestCase):
    def test_help_and_version_print_to_stdout(self):
        code, out, err = run("--help")
        self.assertEqual((code, err), (0, ""))
        for flag in ("--data-dir", "--http-addr", "--wal-sync", "--log-level", "--version"):
            self.assertIn(flag, out)
        code, out, err = run("--version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^flowdb-server \d+\.\d+\.\d+\n$")

    def test_what_is_wrong_is_said_in_one_line(self):
        for arguments, words in ((["--nothing"], ["--nothing", "--help"]),
                                 (["x"], ["x", "unknown"]), ([""], ["unknown"]),
                                 (["--data-dir"], ["--data-dir", "value"]),
                                 (["--data-dir", ""], ["--data-dir", "directory"]),
                                 (["--data-di", "x"], ["--data-di", "unknown"]),
                                 (["--log-level", "loud"], ["--log-level", "debug"]),
                                 (["--wal-sync=never"], ["--wal-sync", "always"]),
                                 (["--http-addr", "8080"], ["HOST:PORT"]),
                                 (["--http-addr", "127.0.0.1:65536"], ["HOST:PORT"]),
                                 (["--http-addr", "127.0.0.1:-1"], ["HOST:PORT"]),
                                 (["--http-addr", "127.0.0.1:"], ["HOST:PORT"]),
                                 (["--http-addr", ":8080"], ["host", "0.0.0.0"]),
                                 (["--http-addr", "::1:8080"], ["brackets"]),
                                 (["--http-addr", "[]:8080"], ["host"]),
                                 (["--http-addr", "[::g]:8080"], ["--http-addr"]),
                                 (["--no\nlevel=info"], ["--no?level"])):
            with self.subTest(arguments):
                code, out, err = run(*arguments)
                self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
                for word in words:
                    self.assertIn(word, err)


class Start(ServerTest):
    starts_server = False

    def assert_start_fails(self, *arguments):
        """The one error line that a server which cannot start leaves."""
        code, out, err = run(*arguments)
        self.assertEqual((code, out), (1, ""), err)
        lines = [line for line in err.splitlines() if "level=error" in line]
        self.assertEqual(len(lines), 1, err)
        return lines[0]

    def test_listens_on_ipv6(self):
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("this machine has no IPv6")
        self.start(host="[::1]")
        self.assert_alive()
        self.assertIn(f'http_addr="[::1]:{self.server.port}"', self.server.log[-1])

    def test_listens_on_a_name(self):
        self.start(host="localhost")
        self.assert_alive()

    def test_warns_where_others_can_reach_it(self):
        self.start(host="0.0.0.0")
        self.server.stop()
        warnings = [line for line in self.server.log if "level=warn" in line]
        self.assertEqual(["HTTP" in line for line in warnings], [False, True])
        self.assertIn("UDP", warnings[0])
        self.assertIn("asked for a key", warnings[0])

    def test_does_not_warn_on_loopback(self):
        self.start()
        self.server.stop()
        self.assertEqual([line for line in self.server.log if "level=warn" in line], [])

    def test_a_port_in_use_is_an_error(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            line = self.assert_start_fails("--data-dir", self.data_dir, "--http-addr", address)
            self.assertIn("--http-addr", line)
            self.assertIn(address, line)

    def test_a_data_dir_in_use_is_an_error_and_harms_nobody(self):
        self.start()
        self.write({"key": "a", "ts": 1})
        line = self.assert_start_fails("--data-dir", self.data_dir, "--http-addr", "127.0.0.1:0")
        self.assertIn("FLOWDB_LOCKED", line)
        self.assertEqual(len(self.query()), 1)

    def test_a_data_dir_that_cannot_be_made_is_an_error(self):
        file = os.path.join(self.folder, "file")
        with open(file, "w", encoding="ascii"):
            pass
        line = self.assert_start_fails("--data-dir", os.path.join(file, "data"), "--http-addr",
                                       "127.0.0.1:0")
        self.assertIn("data_dir=", line)

    def test_every_sync_mode_serves(self):
        for mode in ("always", "interval", "buffered"):
            with self.subTest(mode):
                self.start("--wal-sync", mode)
                self.write({"key": mode, "ts": 1})
                self.assertEqual(self.server.stop(), 0)
        self.start()
        self.assertEqual([key for key, _, _, _ in self.query()],
                         [b"always", b"buffered", b"interval"])

    def test_the_log_level_chooses_lines(self):
        self.start("--log-level", "info")
        self.server.stop()
        self.assertRegex(self.server.log[-1], r'^time=\S+Z level=info msg="stopped"$')
        self.assertEqual([line for line in self.server.log if "level=debug" in line], [])

    def test_says_once_where_it_listens(self):
        self.start()
        lines = [line for line in self.server.log if "listening" in line]
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], rf'http_addr="127\.0\.0\.1:{self.server.port}"')
        self.assertRegex(lines[0], r'version="\d')


class Stop(ServerTest):
    def assert_kept(self):
        self.start()
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"v")])

    def test_both_signals_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.write({"key": "a", "ts": 1, "value": "v"})
            self.server.signal(number)
            self.assertEqual(self.server.wait(), 0)
            self.assert_kept()

    def test_idle_connections_do_not_hold_it_up(self):
        connections = [self.connect() for _ in range(50)]
        for connection in connections[:25]:
            connection.request("GET", "/health")
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.assertEqual(self.server.stop(), 0)
        for connection in connections:
            self.assertTrue(connection.is_closed())
        self.assert_kept()

    def begin_write(self):
        """A write whose headers the server has, and whose body it waits for."""
        body = b'{"records":[{"key":"a","ts":1,"value":"v"}]}'
        self.connection.send_request("POST", "/write", None, [
            ("Expect", "100-continue"), ("Content-Length", str(len(body)))])
        self.assertEqual(self.connection.read_response().status, 100)
        return body

    def test_a_request_in_flight_is_finished(self):
        body = self.begin_write()
        self.connection.send(body[:10])
        self.server.signal(signal.SIGTERM)
        self.server.wait_for_line("msg=\"stopping\"")
        self.assert_refuses_connections()
        self.connection.send(body[10:])
        response = self.connection.read_response()
        self.assertEqual((response.status, response.json), (200, {"written": 1}))
        self.assertEqual(response.headers["connection"].lower(), "close")
        self.assertEqual(self.server.wait(), 0)
        self.assert_kept()

    def assert_refuses_connections(self):
        """From some moment on, which the process outlives."""
        while True:
            self.assertIsNone(self.server.process.poll())
            try:
                socket.create_connection((self.server.host, self.server.port)).close()
            except OSError:
                return

    def test_a_second_signal_does_not_wait_for_clients(self):
        self.begin_write()
        self.assertEqual(self.server.stop_at_once(), 0)
        self.assertTrue(self.connection.is_closed())
        self.start()
        self.assertEqual(self.query(), [])

    def test_a_client_that_never_ends_is_waited_for_10_seconds_at_most(self):
        self.begin_write()
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(self.connection.is_closed())

    def test_an_answer_that_nobody_reads_is_given_up(self):
        value = "v" * 60000
        for ts in range(300):
            self.write({"key": "a", "ts": ts, "value": value})
        self.connection.send_request("GET", "/query")
        self.assertEqual(self.connection.read_head()[0], 200)
        self.assertEqual(self.server.stop_at_once(), 0)
        with self.assertRaises((EOFError, ConnectionResetError)):
            self.connection.read_chunks()


if __name__ == "__main__":
    unittest.main()
