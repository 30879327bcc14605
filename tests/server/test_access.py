"""Keys, and what browsers may be made to send."""

import base64
import os
import signal
import socket
import ssl
import subprocess
import time
import unittest
import warnings

from harness import Connection, ServerTest, run

KEY = "correct-horse"
READING_KEY = "only-looking"


def basic(password, user="me"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Keys(ServerTest):
    arguments = ("--api-key", KEY, "--api-key", "second")

    def status(self, method, target, *headers, body=None):
        return self.request(method, target, body, headers).status

    def test_every_way_to_send_a_key(self):
        for header in (("Authorization", f"Bearer {KEY}"), ("authorization", f"bearer   {KEY}"),
                       ("X-API-Key", KEY), ("X-API-Key", "second"), ("Authorization", basic(KEY)),
                       ("Authorization", basic(KEY, ""))):
            with self.subTest(header):
                self.assertEqual(self.status("GET", "/query", header), 200)

    def test_what_is_no_key_is_refused(self):
        for headers in ((), (("Authorization", "Bearer"),), (("Authorization", "Bearer "),),
                        (("Authorization", KEY),), (("X-API-Key", ""),), (("X-API-Key", KEY[:-1]),),
                        (("X-API-Key", KEY + "x"),), (("Authorization", f"Digest {KEY}"),),
                        (("Authorization", basic("wrong")),), (("Authorization", "Basic !!!"),),
                        (("Authorization", "Basic "),),
                        (("Authorization", "Basic " + base64.b64encode(KEY.encode()).decode()),)):
            with self.subTest(headers):
                response = self.request("GET", "/query", None, headers)
                self.assert_error(response, 401, "X-API-Key")
                self.assertEqual(response.headers["www-authenticate"], "Bearer")

    def test_nothing_is_told_or_done_without_a_key(self):
        for method, target in (("GET", "/no-such-path"), ("POST", "/health"), ("PUT", "/write"),
                               ("DELETE", "/range?key_start=&key_end="), ("GET", "/query?x=1")):
            with self.subTest(target):
                response = self.request(method, target, "{}")
                self.assertEqual(response.status, 401)
                self.assertNotIn("allow", response.headers)
        body = {"records": [{"key": "a", "ts": 1, "value": "v"}]}
        self.assertEqual(self.status("POST", "/write", body=body), 401)
        response = self.request("GET", "/query", None, [("X-API-Key", KEY)])
        self.assertEqual(response.json["count"], 0)

    def test_health_needs_no_key(self):
        self.assertEqual(self.status("GET", "/health"), 200)
        self.assertEqual(self.status("GET", "/health", ("X-API-Key", "wrong")), 200)

    def test_keys_are_in_no_log_line_and_no_answer(self):
        self.server.stop()
        self.start("--log-level", "debug")
        for headers in ((("X-API-Key", KEY),), (("Authorization", f"Bearer {KEY}x"),)):
            response = self.request("GET", "/query", None, headers)
            self.assertNotIn(KEY.encode(), response.body)
        self.connection.close()
        self.assertEqual(self.server.stop(), 0)
        self.assertNotIn(KEY, "\n".join(self.server.log))


class ReadingKeys(ServerTest):
    starts_server = False

    def test_reads_and_changes_nothing(self):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write(f'api_keys = ["{KEY}"]\nread_api_keys = ["{READING_KEY}"]\n')
        self.start("--config", path)
        reading, writing = [("X-API-Key", READING_KEY)], [("X-API-Key", KEY)]
        body = {"records": [{"key": "a", "ts": 1, "value": "v"}]}
        self.assertEqual(self.request("POST", "/write", body, writing).status, 200)
        self.assertEqual(self.request("GET", "/query", None, reading).json["count"], 1)
        for method, target, sent in (("POST", "/write", body), ("PUT", "/write", body),
                                     ("DELETE", "/record?key=a&ts=1", None),
                                     ("DELETE", "/range?key_start=&key_end=", None),
                                     ("PATCH", "/record", {"key": "a", "ts": 1, "value": "w"})):
            with self.subTest(method + target):
                self.assert_error(self.request(method, target, sent, reading), 403, "read")
        self.assertEqual(self.request("GET", "/query", None, writing).json["count"], 1)


class Reload(ServerTest):
    starts_server = False

    def write_config(self, text):
        with open(self.path, "w", encoding="ascii") as file:
            file.write(text)

    def reload(self, line):
        before = len(self.server.log)
        self.server.signal(signal.SIGHUP)
        self.server.wait_for(lambda log: any(line in entry for entry in log[before:]))

    def status(self, key):
        return self.request("GET", "/query", None, [("X-API-Key", key)]).status

    def test_a_hangup_changes_keys_and_log_level_and_nothing_else(self):
        self.path = os.path.join(self.folder, "flowdb.toml")
        self.write_config('api_keys = ["old"]\n')
        self.start("--config", self.path)
        self.assertEqual((self.status("old"), self.status("new")), (200, 401))
        self.write_config('api_keys = ["new"]\nlog_level = "debug"\nmax_body_bytes = 1\n')
        self.reload("configuration read again")
        self.assertEqual((self.status("old"), self.status("new")), (401, 200))
        body = {"records": [{"key": "a", "ts": 1, "value": "v"}]}
        self.assertEqual(self.request("POST", "/write", body, [("X-API-Key", "new")]).status, 200)

    def test_a_bad_file_changes_nothing(self):
        self.path = os.path.join(self.folder, "flowdb.toml")
        self.write_config('api_keys = ["old"]\n')
        self.start("--config", self.path)
        self.write_config('api_keys = [""]\n')
        self.reload("stays as it was")
        self.assertEqual((self.status("old"), self.status("")), (200, 401))

    def test_whom_a_hangup_leaves_open_is_warned_unless_only_this_machine_can_reach_it(self):
        self.path = os.path.join(self.folder, "flowdb.toml")
        for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
            self.write_config('api_keys = ["old"]\n')
            self.start("--config", self.path, "--udp-addr", "", host=host)
            self.assertEqual(self.status("old"), 200)
            self.write_config("api_keys = []\nlog_level = \"debug\"\n")
            self.reload("configuration read again")
            self.assertEqual(self.status(""), 200)
            self.assertEqual(self.server.stop_at_once(), 0)
            lines = [line for line in self.server.log if "nobody is asked for a key" in line]
            self.assertEqual(len(lines), warned, self.server.log)
            self.assertTrue(all('level=warn' in line and "api_keys" in line for line in lines))


class Browsers(ServerTest):
    BODY = {"records": [{"key": "a", "ts": 1, "value": "v"}]}

    def own(self, scheme="http"):
        return f"{scheme}://{self.server.host}:{self.server.port}"

    def send(self, *headers, method="POST", host=None):
        """A write, or a query, as from a page, under a Host of the test's choice."""
        target, body = ("/write", b'{"records":[{"key":"a","ts":1}]}') if method == "POST" else (
            "/query", None)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or self.own()[7:]}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.connection.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        return self.connection.read_response(method).status

    def test_a_page_of_another_site_writes_nothing(self):
        for headers in ((("Origin", "http://evil.example"),), (("Origin", "null"),),
                        (("Origin", self.own() + "1"),), (("Origin", "http://127.0.0.1"),),
                        (("Sec-Fetch-Site", "cross-site"),),
                        (("Sec-Fetch-Site", "cross-site"), ("Origin", self.own())),
                        (("Authorization", basic("x")), ("Origin", "http://evil.example"))):
            with self.subTest(headers):
                self.assertEqual(self.send(*headers), 403)
        self.assertEqual(self.query(), [])

    def test_its_own_page_and_programs_write(self):
        for headers in ((), (("Origin", self.own()),), (("Origin", self.own("https")),),
                        (("Sec-Fetch-Site", "same-origin"), ("Origin", self.own())),
                        (("Sec-Fetch-Site", "none"),)):
            with self.subTest(headers):
                self.assertEqual(self.send(*headers), 200)

    def test_a_name_made_to_lead_here_reads_nothing(self):
        agent = ("User-Agent", "Mozilla/5.0")
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil",
                     "[::1].evil.example", ""):
            with self.subTest(host):
                self.assertEqual(self.send(agent, method="GET", host=host or "x"), 403)
                self.assertEqual(self.send(("Referer", "http://x/"), method="GET", host=host or "x"),
                                 403)
        for host in ("localhost", "localhost:9", "a.localhost", "127.0.0.1", "[::1]:8080", "10.0.0.1",
                     socket.gethostname()):
            with self.subTest(host):
                self.assertEqual(self.send(agent, method="GET", host=host), 200)
        # What is no browser may call the server what it likes.
        self.assertEqual(self.send(method="GET", host="anything.example"), 200)

    def test_other_sites_get_no_leave_to_read(self):
        response = self.request("GET", "/query", None, [("Origin", "http://evil.example")])
        self.assertEqual([name for name in response.headers if name.startswith("access-control")], [])
        response = self.request("OPTIONS", "/write", None, [("Origin", "http://evil.example")])
        self.assertEqual(response.status, 405 if response.status == 405 else 403)


class AllowedSites(ServerTest):
    starts_server = False

    def test_sites_that_are_listed_may_read_and_write(self):
        path = os.path.join(self.folder, "flowdb.toml")
        site = "https://page.example"
        with open(path, "w", encoding="ascii") as file:
            file.write(f'cors_origins = ["{site}"]\nallowed_hosts = ["db.example"]\n')
        self.start("--config", path)
        headers = [("Origin", site), ("Sec-Fetch-Site", "cross-site")]
        response = self.request("POST", "/write", {"records": []}, headers)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["access-control-allow-origin"], site)
        self.assertIn("Origin", response.headers["vary"])
        response = self.request("OPTIONS", "/write", None, headers)
        self.assertEqual((response.status, response.body), (204, b""))
        self.assertIn("PATCH", response.headers["access-control-allow-methods"])
        self.assertIn("X-API-Key", response.headers["access-control-allow-headers"])
        other = [("Origin", "https://page.example.evil")]
        self.assertEqual(self.request("POST", "/write", {"records": []}, other).status, 403)
        lines = "GET /query HTTP/1.1\r\nHost: db.example:1\r\nUser-Agent: Mozilla/5.0\r\n\r\n"
        self.connection.send(lines.encode())
        self.assertEqual(self.connection.read_response().status, 200)


class Tls(ServerTest):
    starts_server = False

    def make_certificate(self):
        paths = [os.path.join(self.folder, name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
        return paths

    def configure(self, certificate, key):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'tls_cert_file = "{certificate}"\ntls_key_file = "{key}"\n'
                       'http_addr = "127.0.0.1:0"\n')
        return path

    def test_speaks_tls_and_nothing_else(self):
        certificate, key = self.make_certificate()
        self.start("--config", self.configure(certificate, key))
        context = ssl.create_default_context(cafile=certificate)
        connection = Connection(self.server.host, self.server.port)
        self.addCleanup(connection.close)
        connection.socket = context.wrap_socket(connection.socket, server_hostname="127.0.0.1")
        body = {"records": [{"key": "a", "ts": 1, "value": "v"}]}
        self.assertEqual(connection.request("POST", "/write", body).status, 200)
        self.assertEqual(connection.request("GET", "/query").json["count"], 1)
        self.connection.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"HTTP/1.1 200", self.connection.read_to_end())

    def test_versions_of_tls_that_are_forbidden_are_not_spoken(self):
        certificate, key = self.make_certificate()
        self.start("--config", self.configure(certificate, key))
        for version, spoken in (("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True),
                                ("TLSv1_3", True)):
            context = ssl.create_default_context(cafile=certificate)
            context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would not speak the old ones
            with warnings.catch_warnings(), self.subTest(version):
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
                with Connection(self.server.host, self.server.port) as connection:
                    try:
                        connection.socket = context.wrap_socket(connection.socket,
                                                                server_hostname="127.0.0.1")
                        answered = connection.request("GET", "/health").status == 200
                    except ssl.SSLError:
                        answered = False
                    self.assertEqual(answered, spoken)

    def test_a_handshake_that_stops_is_not_waited_for(self):
        path = self.configure(*self.make_certificate())
        with open(path, "a", encoding="utf-8") as file:
            file.write("header_timeout_secs = 1\n")
        self.start("--config", path)
        began = time.monotonic()
        self.connection.send(b"\x16\x03\x01\x02\x00\x01")  # how a hello begins
        self.assertTrue(self.connection.is_closed())
        self.assertLess(time.monotonic() - began, 50)  # before idle_timeout_secs would have ended it

    def test_a_bad_certificate_stops_the_start(self):
        certificate, key = self.make_certificate()
        for pair in ((key, key), (certificate, certificate)):
            with self.subTest(pair):
                code, out, err = run("--config", self.configure(*pair), "--data-dir", self.data_dir)
                self.assertEqual((code, out), (1, ""))
                self.assertEqual(err.count("level=error"), 1, err)

    def test_a_certificate_that_cannot_be_read_is_a_fault_of_the_configuration(self):
        certificate, key = self.make_certificate()
        for pair, name, path in ((("/nowhere", key), "tls_cert_file", "/nowhere"),
                                 ((certificate, "/nowhere"), "tls_key_file", "/nowhere"),
                                 ((certificate, self.folder), "tls_key_file", self.folder)):
            for arguments in ((), ("--check-config",)):
                code, out, err = run("--config", self.configure(*pair), "--data-dir", self.data_dir,
                                     *arguments)
                self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
                self.assertIn(f"{name}: {path}: ", err)
        code, out, _ = run("--config", self.configure(certificate, key), "--check-config")
        self.assertEqual((code, out), (0, "the configuration is good\n"))

    def test_a_reload_does_not_want_the_certificate_again(self):
        certificate, key = self.make_certificate()
        path = self.configure(certificate, key)
        self.start("--config", path)
        os.unlink(key)
        self.server.signal(signal.SIGHUP)
        self.server.wait_for_line("configuration read again")


if __name__ == "__main__":
    unittest.main()
