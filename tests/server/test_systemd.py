"""What a service manager is told, and the unit file that it reads."""

import configparser
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
from unittest import mock

from harness import DEADLINE, ServerTest, run

SOURCE = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"])
PACKAGING = SOURCE / "packaging" / "systemd"


class Manager:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(DEADLINE)

    def next(self):
        """A message as {name: value}."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def wait_for(self, name):
        """The message that has `name`, and those before it."""
        before = []
        while name not in (message := self.next()):
            before.append(message)
        return message, before

    def rest(self):
        """What came and was not read."""
        self.socket.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(self.next())
        except BlockingIOError:
            return messages


class Notify(ServerTest):
    starts_server = False

    def listen(self, address=None):
        address = address or os.path.join(self.folder, "notify")
        self.name = "@" + address[1:] if address[0] == "\0" else address
        manager = Manager(address)
        self.addCleanup(manager.socket.close)
        return manager

    def start(self, *arguments, **options):
        with mock.patch.dict(os.environ, {"NOTIFY_SOCKET": self.name}):
            return super().start(*arguments, **options)

    def test_ready_comes_once_both_ports_answer(self):
        manager = self.listen()
        self.start()
        ready, before = manager.wait_for("READY")
        self.assert_alive()
        self.assertEqual(before, [{"STATUS": "Opening the database"}])
        self.assertEqual(ready, {"READY": "1", "STATUS": f"HTTP on 127.0.0.1:{self.server.port}, "
                                                         f"UDP on 127.0.0.1:{self.server.udp_port}"})
        self.assertEqual(manager.rest(), [])

    def test_a_server_that_cannot_listen_is_never_ready(self):
        manager = self.listen()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with mock.patch.dict(os.environ, {"NOTIFY_SOCKET": self.name}):
                code, _, _ = run("--data-dir", self.data_dir, "--http-addr", f"127.0.0.1:{port}",
                                 "--udp-addr", "127.0.0.1:0")
        self.assertEqual(code, 1)
        self.assertEqual(manager.rest(), [{"STATUS": "Opening the database"},
                                          {"STATUS": "Closing the database"}])

    def test_stopping_is_told_before_the_requests_in_flight_have_ended(self):
        manager = self.listen()
        self.start("--udp-addr", "")
        ready, _ = manager.wait_for("READY")
        self.assertTrue(ready["STATUS"].endswith(", UDP off"))
        self.connection.send_request("POST", "/write", None,
                                     [("Expect", "100-continue"), ("Content-Length", "14")])
        self.assertEqual(self.connection.read_response().status, 100)
        self.server.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_for("STOPPING"),
                         ({"STOPPING": "1", "STATUS": "Finishing requests"}, []))
        self.connection.send(b'{"records":[]}')
        self.assertEqual(self.connection.read_response().status, 200)
        self.assertEqual(self.server.wait(), 0)
        self.assertEqual(manager.rest(), [{"STATUS": "Closing the database"}])

    def test_a_reload_is_bracketed_whether_it_succeeds_or_not(self):
        manager = self.listen()
        path = os.path.join(self.folder, "flowdb.toml")
        for text, line in (('log_level = "debug"', "configuration read again"),
                           ("log_level = 7", "the configuration stays as it was")):
            with open(path, "w", encoding="ascii") as file:
                file.write('log_level = "info"')
            self.start("--config", path)
            manager.wait_for("READY")
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self.server.signal(signal.SIGHUP)
            reloading, _ = manager.wait_for("RELOADING")
            self.assertEqual(manager.next(), {"READY": "1"})
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self.assertEqual(reloading["RELOADING"], "1")
            self.assertIn(int(reloading["MONOTONIC_USEC"]), range(before, after + 1))
            self.server.wait_for_line(line)
            self.assertEqual(self.server.stop(), 0)
            manager.wait_for("STOPPING")

    def test_an_abstract_socket_is_told_too(self):
        manager = self.listen(f"\0flowdb-test-{os.getpid()}")
        self.start()
        self.assertEqual(manager.wait_for("READY")[0]["READY"], "1")

    def test_a_socket_that_cannot_be_used_is_a_warning(self):
        for name, word in (("vsock:2:1234", "path"), ("/" + "a" * 200, "long"),
                           (os.path.join(self.folder, "nobody"), "No such file")):
            with self.subTest(name):
                self.name = name
                self.start()
                self.assertIn(word, self.server.wait_for_line("level=warn"))
                self.assert_alive()
                self.assertEqual(self.server.stop(), 0)


class Unit(ServerTest):
    starts_server = False

    def test_what_is_in_the_unit_fits_the_server(self):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(PACKAGING / "flowdb-server.service.in")
        service = unit["Service"]
        self.assertEqual(service["Type"], "notify")
        self.assertEqual(service["ExecReload"], "/bin/kill -HUP $MAINPID")
        words = service["ExecStart"].split()
        self.assertEqual(words[0], "@FLOWDB_BINDIR@/flowdb-server")
        # The exit code of a configuration that is wrong, which no restart makes right.
        self.assertEqual(run("--config", "/nonexistent")[0],
                         int(service["RestartPreventExitStatus"]))
        example = str(PACKAGING / "flowdb.toml")
        code, _, err = run(*(example if word.startswith("/etc/") else word for word in words[1:]),
                           "--check-config")
        self.assertEqual((code, err), (0, ""))
        printed = run("--config", example, "--print-config")[1]
        self.assertIn(f'data_dir = "/var/lib/{service["StateDirectory"]}"', printed)
        self.assertIn(f'u {service["User"]} ', (PACKAGING / "flowdb.sysusers").read_text())

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_systemd_finds_no_fault_in_the_unit(self):
        unit = (PACKAGING / "flowdb-server.service.in").read_text()
        path = os.path.join(self.folder, "flowdb-server.service")
        shutil.copy("/bin/true", os.path.join(self.folder, "flowdb-server"))
        with open(path, "w", encoding="ascii") as file:
            file.write(unit.replace("@FLOWDB_BINDIR@", self.folder))
        verify = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                                 path], capture_output=True, text=True, check=False)
        self.assertEqual((verify.returncode, verify.stdout + verify.stderr), (0, ""))
        security = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                                   path], capture_output=True, text=True, check=False)
        exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", security.stdout)[1])
        self.assertLess(exposure, 2.0, security.stdout)


if __name__ == "__main__":
    unittest.main()
