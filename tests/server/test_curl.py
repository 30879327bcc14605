"""curl, as people use it, and the README's first five minutes."""

import gzip
import json
import os
import pathlib
import re
import subprocess
import time
import unittest

from harness import DEADLINE, NEVER, ServerTest, need

CURL = need("curl")
SOURCE = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"])
KEY = "the-key-of-curl"


class Curl(ServerTest):
    def curl(self, *arguments, data=None):
        """What it prints, without the end of the last line."""
        url = f"http://127.0.0.1:{self.server.port}"
        words = [word.replace("URL", url) for word in arguments]
        done = subprocess.run([CURL, "--silent", "--show-error", *words], input=data,
                              capture_output=True, timeout=DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def records(self, count, size=1):
        return json.dumps({"records": [{"key": "a", "ts": ts, "value": "v" * size}
                                       for ts in range(count)]}).encode()


class Bodies(Curl):
    def test_as_a_file_a_stream_and_compressed(self):
        body = self.records(1000)
        path = os.path.join(self.folder, "body")
        for way in (["--data-binary", "@-"], ["--json", "@-"], ["-T", "-", "-X", "PUT"],
                    ["--data-binary", "@-", "-H", "Transfer-Encoding: chunked"],
                    ["-T", path, "-X", "POST"]):
            with open(path, "wb") as file:
                file.write(body)
            self.assertEqual(self.curl(*way, "URL/write", data=body), b'{"written":1000}', way)
        self.assertEqual(self.curl("--data-binary", "@-", "-H", "Content-Encoding: gzip", "URL/write",
                                   data=gzip.compress(body)), b'{"written":1000}')

    def test_a_long_one_waits_to_be_asked_for(self):
        """From 1 MiB on curl sends Expect: 100-continue, and a second later the body all the same."""
        answer = self.curl("--verbose", "--stderr", "-", "--data-binary", "@-", "URL/write",
                           data=self.records(100, 20000))
        self.assertIn(b"< HTTP/1.1 100 Continue", answer)
        self.assertTrue(answer.rstrip().endswith(b"left intact"))
        self.assertIn(b'{"written":100}', answer)

    def test_one_that_is_too_long_is_refused_before_it_is_sent(self):
        answer = self.curl("--write-out", " %{http_code} %{size_upload}", "--data-binary", "@-",
                           "URL/write", data=b" " * (17 << 20))
        self.assertRegex(answer, rb'^\{"ok":false,.*\} 413 0$')


class Answers(Curl):
    def test_compressed_and_on_one_connection(self):
        self.curl("--json", "@-", "URL/write", data=self.records(3000))
        plain = self.curl("URL/query")
        self.assertEqual(json.loads(plain)["count"], 3000)
        done = self.curl("--compressed", "--write-out", " %{size_download} %{num_connects}\n",
                         "URL/query", "URL/query")
        answer, size, connects = re.match(rb"(.*?) (\d+) (\d)\n", done, re.S).groups()
        self.assertEqual((answer.startswith(plain), connects), (True, b"1"))
        self.assertLess(int(size), len(plain) / 4)
        self.assertTrue(done.endswith(b" 0\n"), "the second went over another connection")

    def test_head_and_failures(self):
        head = self.curl("--head", "URL/query", "--write-out", "%{http_code}").decode()
        self.assertTrue(head.endswith("200"))
        self.assertIn("Content-Type: application/json\r\n", head)
        self.assertEqual(self.curl("-o", "/dev/null", "-w", "%{http_code}", "URL/nothing"), b"404")
        self.assertEqual(self.curl("-G", "-d", "prefix=a", "--data-urlencode", "limit=1",
                                   "URL/query"), b'{"records":[],"count":0}')


class Keys(Curl):
    arguments = ("--api-key", KEY)

    def test_in_each_of_the_ways(self):
        for way in (["--oauth2-bearer", KEY], ["-H", f"X-API-Key: {KEY}"], ["-u", f"anyone:{KEY}"],
                    ["-H", f"Authorization: Bearer {KEY}"]):
            self.assertEqual(self.curl(*way, "URL/keys"), b'{"keys":[],"count":0}', way)
        self.assertEqual(self.curl("-o", "/dev/null", "-w", "%{http_code}", "-u", "anyone:no",
                                   "URL/keys"), b"401")


class Readme(ServerTest):
    def steps(self):
        """Each command of the five minutes, with the lines that are to come of it."""
        text = (SOURCE / "README.md").read_text(encoding="utf-8")
        section = re.search(r"^## Five minutes\n(.*?)^## ", text, re.S | re.M)[1]
        for block in re.findall(r"^```\n(.*?)^```", section, re.S | re.M):
            for step in re.finditer(r"((?:^[^#\n].*\n)+)((?:^# .*\n)*)", block, re.M):
                yield step[1], [line[2:] for line in step[2].splitlines()]

    def test_its_five_minutes_are_as_it_says(self):
        steps = list(self.steps())
        self.assertGreater(len(steps), 6)
        self.assertGreater(sum(bool(lines) for _, lines in steps), 3)
        for command, lines in steps:
            command = command.replace("localhost:8080", f"127.0.0.1:{self.server.port}")
            command = command.replace("127.0.0.1/9090", f"127.0.0.1/{self.server.udp_port}")
            done = subprocess.run(["bash", "-c", command], cwd=SOURCE, capture_output=True,
                                  text=True, timeout=DEADLINE, check=True)
            wanted = "\n".join(lines).replace("…", "\0")
            pattern = re.escape(wanted).replace("\0", ".*") if lines else ".*"
            self.assertRegex(done.stdout.replace("\r", "").strip(), f"(?s)^{pattern}$", command)
            self.assertNotIn('"ok":false', done.stdout, command)
        self.assertTrue(any("/dev/udp/" in command for command, _ in steps))
        deadline = time.monotonic() + DEADLINE
        while self.query(prefix="boiler.valve") == []:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.query(prefix="boiler."),
                         [(b"boiler.valve", 1800000000000000, NEVER, b"on")])


if __name__ == "__main__":
    unittest.main()
