"""The installed unit under a real systemd; boot runs it there, as root and with nothing to be careful of."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import stat
import struct
import subprocess
import unittest
import urllib.error
import urllib.request

UNIT = "flowdb-server"
CONFIG = pathlib.Path("/etc/flowdb/flowdb.toml")
DATA = pathlib.Path("/var/lib/flowdb")
HTTP, UDP = 8080, 9090


def run(*command):
    """Exit code, and what was said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def show(name):
    return run("systemctl", "show", "--value", "-p", name, UNIT)[1].strip()


def request(method, path, body=None, key=None):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked = urllib.request.Request(f"http://127.0.0.1:{HTTP}{path}", method=method, headers=headers,
                                   data=json.dumps(body).encode() if body is not None else None)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def process_status():
    """/proc's lines of the service's main process, by name."""
    lines = pathlib.Path(f"/proc/{show('MainPID')}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """As docs/operations.md says."""
        code, said = run("systemd-sysusers")
        if code != 0:
            raise AssertionError(said)
        group = pwd.getpwnam("flowdb").pw_gid
        CONFIG.parent.mkdir(mode=0o750)
        os.chown(CONFIG.parent, 0, group)
        example, = pathlib.Path("/").glob("usr/local/share/doc/flowdb/flowdb.toml")
        shutil.copy(example, CONFIG)
        CONFIG.chmod(0o640)
        os.chown(CONFIG, 0, group)
        cls.config = CONFIG.read_text()

    def setUp(self):
        CONFIG.write_text(self.config)
        shutil.rmtree(DATA, ignore_errors=True)
        self.addCleanup(run, "systemctl", "reset-failed", UNIT)
        self.addCleanup(run, "systemctl", "stop", UNIT)

    def control(self, verb):
        code, said = run("systemctl", verb, UNIT)
        self.assertEqual(code, 0, said + run("journalctl", "-u", UNIT, "--no-pager")[1])

    def test_started_means_that_it_answers(self):
        self.control("start")
        self.assertEqual(request("GET", "/ready")[0], 200)
        self.assertEqual(show("ActiveState"), "active")
        self.assertEqual(show("StatusText"),
                         f"HTTP on 127.0.0.1:{HTTP}, UDP on 127.0.0.1:{UDP}")

    def test_it_has_no_more_rights_than_it_needs(self):
        self.control("start")
        status = process_status()
        user = pwd.getpwnam("flowdb")
        self.assertEqual(status["Uid"], [str(user.pw_uid)] * 4)
        self.assertEqual(status["Gid"], [str(user.pw_gid)] * 4)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name][0], 16), 0, name)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), (["1"], ["2"]))

    def test_it_can_do_all_that_it_does(self):
        self.control("start")
        record = {"key": "a", "ts": 1, "value": "one"}
        self.assertEqual(request("POST", "/write", {"records": [record]})[0], 200)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(struct.pack(">BBHH1sqIH3s", 0x54, 1, 1, 1, b"b", 2, 0, 3, b"two"),
                          ("127.0.0.1", UDP))
        # What came before the end is stored, and read back by the next start.
        self.control("restart")
        for path in ("/admin/flush", "/admin/compact", "/admin/gc"):
            self.assertEqual(request("POST", path)[0], 200, path)
        self.assertEqual(request("POST", "/admin/checkpoint", {"name": "first"})[0], 200)
        for path in ("/stats", "/metrics", "/admin", "/admin/config", "/keys"):
            self.assertEqual(request("GET", path)[0], 200, path)
        self.assertEqual([row["key"] for row in json.loads(request("GET", "/query")[1])["records"]],
                         ["a", "b"])
        for path in (DATA, *DATA.rglob("*")):
            about = path.stat()
            self.assertEqual((about.st_uid, stat.S_IMODE(about.st_mode) & 0o007),
                             (pwd.getpwnam("flowdb").pw_uid, 0), path)
        self.assertTrue((DATA / "checkpoints" / "first").is_dir())
        said = run("journalctl", "--no-pager", f"_SYSTEMD_INVOCATION_ID={show('InvocationID')}")[1]
        self.assertIn('msg="listening"', said)
        self.assertNotRegex(said, "level=(warn|error)")

    def test_a_reload_takes_the_new_keys_and_keeps_the_process(self):
        self.control("start")
        process = show("MainPID")
        self.assertEqual(request("GET", "/keys")[0], 200)
        CONFIG.write_text(self.config.replace("\napi_keys = []", '\napi_keys = ["new"]'))
        self.control("reload")
        self.assertEqual(show("ActiveState"), "active")
        while request("GET", "/keys")[0] != 401:  # kill(1) is done before the server has read it
            self.assertEqual(show("ActiveState"), "active")
        self.assertEqual(request("GET", "/keys", key="new")[0], 200)
        self.assertEqual(show("MainPID"), process)

    def test_a_stop_leaves_an_empty_log_and_is_no_failure(self):
        self.control("start")
        request("POST", "/write", {"records": [{"key": "s", "ts": 1, "value": "v"}]})
        self.control("stop")
        self.assertEqual((show("Result"), show("ExecMainStatus")), ("success", "0"))
        self.assertEqual(list((DATA / "wal").iterdir()), [])

    def test_a_crash_is_followed_by_a_start_with_all_that_was_acknowledged(self):
        self.control("start")
        process = show("MainPID")
        request("POST", "/write", {"records": [{"key": "k", "ts": 1, "value": "v"}]})
        os.kill(int(process), signal.SIGKILL)
        # Waits for the start that systemd has decided on: a start joins the job that is there.
        while show("NRestarts") == "0":
            self.assertNotEqual(show("ActiveState"), "failed")
        self.control("start")
        self.assertEqual((show("NRestarts"), show("ActiveState")), ("1", "active"))
        self.assertNotEqual(show("MainPID"), process)
        self.assertEqual(request("GET", "/record?key=k&ts=1")[0], 200)

    def test_a_wrong_configuration_is_not_tried_again(self):
        CONFIG.write_text("log_level = 7\n")
        code, _ = run("systemctl", "start", UNIT)
        self.assertNotEqual(code, 0)
        self.assertEqual((show("ActiveState"), show("ExecMainStatus"), show("NRestarts")),
                         ("failed", "2", "0"))


if __name__ == "__main__":
    unittest.main()
