"""What clients and the log are told when the system fails the server."""

import os
import signal
import socket
import subprocess
import unittest

from harness import BINARY, NEVER, ServerTest, environment


class Faults(ServerTest):
    def test_a_write_that_fails_is_told_as_such_and_reads_go_on(self):
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.server.limit_file_size(0)
        response = self.request("POST", "/write", {"records": [{"key": "b", "ts": 1}]})
        self.assertIn(response.status, (500, 507))
        self.assert_error(response, response.status)
        self.assertNotIn(self.data_dir, response.json["message"])
        line = self.server.wait_for_line('msg="the engine failed"')
        self.assertIn("level=error", line)
        self.assertIn("reason=", line)
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"v")])
        self.assert_alive()
        self.server.kill()

    def test_a_server_whose_disk_takes_no_writes_is_not_ready(self):
        for reserve in ("0", "64"):
            path = os.path.join(self.folder, "flowdb.toml")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"[engine]\ndisk_reserve_mb = {reserve}\n")
            self.server.stop_at_once()
            self.start("--config", path)
            self.write({"key": "a", "ts": 1, "value": "v"})
            self.assertEqual(self.request("GET", "/ready").status, 200)
            self.server.limit_file_size(0)
            body = {"records": [{"key": "b", "ts": 1}]}
            self.assert_error(self.request("POST", "/write", body), 507, "the disk is full")
            self.assert_error(self.request("GET", "/ready"), 503, "the disk is full")
            self.server.limit_file_size(None)
            self.assertEqual(self.request("POST", "/write", body).status, 200)
            self.assertEqual(self.request("GET", "/ready").status, 200)

    def test_after_a_failed_write_a_restart_has_what_was_acknowledged(self):
        self.write({"key": "a", "ts": 1, "value": "v"})
        self.server.limit_file_size(0)
        for method, target, body in (
                ("POST", "/write", '{"records":[{"key":"b","ts":1}]}'),
                ("PATCH", "/record", '{"key":"a","ts":1,"value":"w"}'),
                ("DELETE", "/record?key=a&ts=1", None),
                ("DELETE", "/range?key_start=&key_end=", None)):
            response = self.request(method, target, body)
            self.assertIn(response.status, (500, 507), response.body)
        self.server.kill()
        self.start()
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"v")])


class ClosedStreams(ServerTest):
    starts_server = False

    def test_log_lines_do_not_land_in_the_database(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        script = 'exec "$0" "$@" <&- >&- 2>&-'
        process = subprocess.Popen(
            ["sh", "-c", script, BINARY, "--data-dir", self.data_dir, "--log-level", "debug",
             "--http-addr", f"127.0.0.1:{port}"], env=environment())
        self.addCleanup(process.kill)
        self.wait_until_it_listens(process, port)
        streams = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
        self.assertEqual(streams, ["/dev/null"] * 3)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)

    def wait_until_it_listens(self, process, port):
        while True:
            self.assertIsNone(process.poll())
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                continue


if __name__ == "__main__":
    unittest.main()
