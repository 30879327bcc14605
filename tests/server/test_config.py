"""Settings from a file, the environment and flags: which wins, what is refused, what is shown."""

import os
import tempfile
import unittest
from unittest import mock

from harness import ServerTest, run


class Settings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "flowdb.toml")

    def configure(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def printed(self, *arguments, **variables):
        """name: (value, origin) of all settings."""
        with mock.patch.dict(os.environ, variables):
            code, out, err = run("--config", self.path, "--print-config", *arguments)
        self.assertEqual((code, err), (0, ""), err)
        found, table = {}, ""
        for line in out.splitlines():
            if line.startswith("["):
                table = line.strip("[]") + "."
            elif line and not line.startswith("#"):
                setting, origin = line.rsplit("  # ", 1)
                name, value = setting.split(" = ", 1)
                found[table + name] = (value, origin)
        return found

    def refused(self, text, *words):
        self.configure(text)
        code, out, err = run("--config", self.path, "--check-config")
        self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
        for word in words:
            self.assertIn(word, err)

    def test_limits_are_there_without_being_asked_for(self):
        self.configure("")
        expected = {"max_body_bytes": 16 << 20, "max_batch_records": 10000, "max_key_bytes": 4096,
                    "max_value_bytes": 65536, "max_udp_packet_size": 1400, "max_connections": 1024,
                    "header_timeout_secs": 5, "min_body_bytes_per_sec": 1024,
                    "idle_timeout_secs": 60, "request_timeout_secs": 30}
        found = self.printed()
        self.assertEqual({name: found[name] for name in expected},
                         {name: (str(value), "default") for name, value in expected.items()})

    def test_the_later_source_wins(self):
        self.configure('http_addr = "127.0.0.1:1"\n[engine]\nblock_size = 256\nzstd_level = 5\n')
        found = self.printed("--http-addr", "127.0.0.1:3", FLOWDB_HTTP_ADDR="127.0.0.1:2",
                             FLOWDB_ENGINE_ZSTD_LEVEL="7")
        self.assertEqual(found["http_addr"], ('"127.0.0.1:3"', "--http-addr"))
        self.assertEqual(found["engine.zstd_level"], ("7", "FLOWDB_ENGINE_ZSTD_LEVEL"))
        self.assertEqual(found["engine.block_size"], ("256", f"{self.path}, line 3"))
        self.assertEqual(found["engine.wal_sync"], ('"interval"', "default"))

    def test_lists_replace_lists(self):
        self.configure('cors_origins = ["http://a", "http://b"]\n')
        self.assertEqual(self.printed()["cors_origins"][0], '["http://a", "http://b"]')
        found = self.printed(FLOWDB_CORS_ORIGINS="http://c,http://d")
        self.assertEqual(found["cors_origins"][0], '["http://c", "http://d"]')
        self.assertEqual(self.printed(FLOWDB_CORS_ORIGINS="")["cors_origins"][0], "[]")

    def test_secrets_are_not_shown(self):
        self.configure('api_keys = ["secret-one"]\nudp_api_key = "secret-two"\n')
        for arguments in ((), ("--api-key", "secret-three")):
            code, out, err = run("--config", self.path, "--print-config", *arguments)
            self.assertEqual(code, 0, err)
            self.assertNotIn("secret", out)

    def test_what_is_printed_can_be_used_where_secrets_are_set(self):
        self.configure('api_keys = ["secret-one", "secret-two"]\nread_api_keys = ["secret-three"]\n'
                       'udp_api_key = "secret-four"\nmax_key_bytes = 7\n')
        _, out, _ = run("--config", self.path, "--print-config")
        for line in ("# api_keys: 2 set, not shown", "# read_api_keys: 1 set, not shown",
                     "# udp_api_key: set, not shown"):
            self.assertIn(line + f"  # {self.path}", out)
        self.configure(out)
        code, _, err = run("--config", self.path, "--check-config")
        self.assertEqual((code, err), (0, ""))
        found = self.printed()
        self.assertEqual(found["max_key_bytes"][0], "7")
        self.assertEqual([found[name][0] for name in ("api_keys", "read_api_keys", "udp_api_key")
                          if name in found], ["[]", "[]", '""'])

    def test_what_is_printed_can_be_read_back(self):
        self.configure('allowed_hosts = ["a\\"b\\\\c\\u0001"]\n[engine]\nread_only = true\n')
        first = {name: value for name, (value, _) in self.printed().items()}
        _, out, _ = run("--config", self.path, "--print-config")
        self.configure(out)
        self.assertEqual({name: value for name, (value, _) in self.printed().items()}, first)

    def test_errors_name_the_key_the_line_and_the_range(self):
        self.refused("nothing = 1\n", "line 1", "nothing", "unknown")
        self.refused("[engine]\nblok_size = 1\n", "line 2", "engine.blok_size", "unknown")
        self.refused("[engine]\n\nblock_size = 5\n", "line 3", "engine.block_size", "128..1048576")
        self.refused("[engine]\nzstd_level = -1\n", "line 2", "zstd_level", "1..22")
        self.refused("[engine]\nblock_size = 99999999999\n", "engine.block_size", "integer")
        self.refused("max_udp_packet_size = 65508\n", "max_udp_packet_size", "1", "65507")
        self.refused("http_addr = 8080\n", "http_addr", "text in quotes")
        self.refused('api_keys = "one"\n', "api_keys", "list of texts")
        self.refused("api_keys = [1]\n", "api_keys", "list of other things")
        self.refused('public_metrics = "yes"\n', "public_metrics", "true or false")
        self.refused("request_timeout_secs = 1.5\n", "request_timeout_secs", "fraction")
        self.refused("request_timeout_secs = 2000-01-01\n", "date")
        self.refused('[engine]\nwal_sync = "never"\n', "engine.wal_sync", "always", "buffered")
        self.refused('log_level = "loud"\n', "log_level", "debug")
        self.refused('http_addr = "x"\n', "line 1", "http_addr", "HOST:PORT")
        self.refused('http_addr = "127.0.0.1:1"\nhttp_addr = "127.0.0.1:2"\n', "line 2")
        self.refused("a = [1,\n", "line")
        self.refused("\xff = 1\n".encode("latin-1").decode("latin-1"), "line 1")

    def test_keys_and_certificates_are_checked(self):
        self.refused('api_keys = ["good", ""]\n', "api_keys", "key 2")
        self.refused('read_api_keys = ["with space"]\n', "read_api_keys", "key 1")
        self.refused('tls_cert_file = "cert.pem"\n', "tls_cert_file", "tls_key_file")

    def test_a_file_that_cannot_be_read_is_named(self):
        code, _, err = run("--config", "/nowhere/flowdb.toml")
        self.assertEqual((code, err.count("\n")), (2, 1))
        self.assertIn("/nowhere/flowdb.toml", err)
        self.configure("#" * (1 << 20) + "\n")
        self.assertIn("1 MiB", run("--config", self.path)[2])

    def test_variables_are_named_when_they_are_wrong(self):
        self.configure("")
        with mock.patch.dict(os.environ, FLOWDB_ENGINE_BLOCK_SIZE="many"):
            code, _, err = run("--config", self.path, "--check-config")
        self.assertEqual((code, err.count("\n")), (2, 1))
        self.assertIn("FLOWDB_ENGINE_BLOCK_SIZE", err)

    def test_a_good_configuration_is_said_to_be_good(self):
        self.configure('[engine]\nblock_size = 4096\n')
        code, out, err = run("--config", self.path, "--check-config")
        self.assertEqual((code, out, err), (0, "the configuration is good\n", ""))


class Effects(ServerTest):
    starts_server = False

    def test_limits_of_the_file_hold(self):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write("max_body_bytes = 300\nmax_batch_records = 2\nmax_key_bytes = 3\n"
                       "max_value_bytes = 4\nhttp_threads = 1\n")
        self.start("--config", path)
        self.write({"key": "abc", "ts": 1, "value": "1234"})
        for records, word in (([{"key": "abcd", "ts": 1}], "key"),
                              ([{"key": "a", "ts": 1, "value": "12345"}], "value"),
                              ([{"key": "a", "ts": 1}] * 3, "2")):
            self.assert_error(self.request("POST", "/write", {"records": records}), 400, word)
        self.assertEqual(self.request("POST", "/write", " " * 301).status, 413)

    def test_a_variable_that_sets_nothing_is_pointed_out(self):
        with mock.patch.dict(os.environ, FLOWDB_API_KEY="misspelt"):
            self.start()
        line = self.server.wait_for_line("FLOWDB_API_KEY")
        self.assertIn("level=warn", line)
        self.assertNotIn("misspelt", line)


if __name__ == "__main__":
    unittest.main()
