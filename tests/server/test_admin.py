"""What administers: flush, compact, gc, corrections, checkpoints."""

import os
import shutil
import unittest

from harness import NEVER, Server, ServerTest, query_string

KEY, READING_KEY = "all-of-it", "only-looking"


class Admin(ServerTest):
    def post(self, path, body=None, headers=()):
        return self.request("POST", path, body if body is not None else b"", headers)

    def assert_ok(self, response, message):
        self.assertEqual((response.status, response.json), (200, {"ok": True, "message": message}))

    def configure(self, text):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return "--config", path


class Maintenance(Admin):
    def test_flush_compact_and_gc_say_what_they_did(self):
        self.server.stop()
        self.start(*self.configure("[engine]\nauto_background = false\n"))
        self.request("POST", "/write", {"records": [{"key": "a", "ts": 1, "expire_at": 2}]})
        self.assert_ok(self.post("/admin/flush"), "flush completed")
        self.assertEqual(self.request("GET", "/stats").json["sstable_count"], 1)
        self.assert_ok(self.post("/admin/gc"), "gc completed, purged 1")
        self.assert_ok(self.post("/admin/gc"), "gc completed, purged 0")
        self.assert_ok(self.post("/admin/compact"), "compaction: ran=false")

    def test_a_compaction_that_had_something_to_do_says_so(self):
        self.server.stop()
        self.start(*self.configure("[engine]\nauto_background = false\n"))
        for ts in range(4):
            self.write({"key": "a", "ts": ts, "value": "v"})
            self.post("/admin/flush")
        self.assert_ok(self.post("/admin/compact"), "compaction: ran=true")
        self.assertEqual(len(self.query()), 4)

    def test_the_paths_take_post_alone(self):
        for name in ("flush", "compact", "gc", "delete", "patch"):
            response = self.request("GET", f"/admin/{name}")
            self.assert_error(response, 405)
            self.assertEqual(response.headers["allow"], "POST")

    def test_query_delete_and_patch_are_those_without_admin(self):
        self.write({"key": "a", "ts": 1, "value": "v"}, {"key": "b", "ts": 2, "value": "w"},
                   {"key_base64": "/w==", "ts": 3, "value": "x"})
        self.assertEqual(self.request("GET", "/admin/query?prefix=a").json,
                         self.request("GET", "/query?prefix=a").json)
        self.assert_ok(self.post("/admin/delete", {"key": "a", "ts": 1}), "deleted")
        self.assert_ok(self.post("/admin/delete?precision=ms", {"key_base64": "/w==", "ts": 0}),
                       "deleted")
        self.assert_ok(self.post("/admin/delete", {"key_base64": "/w==", "ts": 3}), "deleted")
        response = self.post("/admin/patch", {"key": "b", "ts": 2, "value": "new"})
        self.assertEqual(response.status, 200)
        self.assertEqual(self.query(), [(b"b", 2, NEVER, b"new")])
        self.assert_error(self.post("/admin/patch", {"key": "a", "ts": 1, "value": "x"}), 404)

    def test_a_delete_that_does_not_say_what_deletes_nothing(self):
        self.write({"key": "a", "ts": 1, "value": "v"})
        for body in ("", "{", "[]", "{}", {"key": "a"}, {"ts": 1}, {"key": "", "ts": 1},
                     {"key": "a", "ts": "1"}, {"key": "a", "ts": 1, "value": "v"},
                     {"key": "a", "ts": 1, "ttl_secs": 0}, {"key": 1, "ts": 1}):
            with self.subTest(body):
                self.assert_error(self.post("/admin/delete", body), 400)
        self.assertEqual(len(self.query()), 1)

    def test_a_client_that_hangs_up_and_a_server_that_stops_wait_for_it(self):
        self.write(*({"key": f"k{i}", "ts": i, "value": "v" * 200} for i in range(5000)))
        for _ in range(20):
            with self.server.connect() as leaving:
                leaving.send_request("POST", "/admin/flush", b"")
        self.assert_alive()
        self.connection.send_request("POST", "/admin/flush", b"")
        self.assertEqual(self.server.stop(), 0)


class Checkpoints(Admin):
    def make(self, name):
        return self.post("/admin/checkpoint", {"name": name})

    def remove(self, name):
        return self.request("DELETE", "/admin/checkpoint" + query_string(name=name))

    def names(self):
        response = self.request("GET", "/admin/checkpoints")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.json["count"], len(response.json["checkpoints"]))
        return [checkpoint["name"] for checkpoint in response.json["checkpoints"]]

    def path(self, *names):
        return os.path.join(self.data_dir, "checkpoints", *names)

    def test_one_is_made_listed_opened_and_removed(self):
        self.assertEqual(self.names(), [])
        self.write({"key": "a", "ts": 1, "value": "before"})
        self.assert_ok(self.make("Monday_1.2-x"), "checkpoint made")
        self.write({"key": "a", "ts": 1, "value": "after"})
        listed = self.request("GET", "/admin/checkpoints").json["checkpoints"][0]
        self.assertEqual(listed["name"], "Monday_1.2-x")
        self.assertGreater(listed["bytes"], 0)
        self.assertGreater(listed["files"], 1)
        self.assertAlmostEqual(listed["made_at"] / 1e6,
                               os.stat(self.path("Monday_1.2-x", "CURRENT")).st_mtime, delta=0.01)
        copy = Server(self.path("Monday_1.2-x"))
        self.addCleanup(copy.kill)
        with copy.connect() as connection:
            self.assertEqual(connection.request("GET", "/query?encoding=text").json["records"][0]["value"],
                             "before")
        self.assert_error(self.remove("Monday_1.2-x"), 400, "open in some process")
        self.assertEqual(copy.stop(), 0)
        self.assert_ok(self.remove("Monday_1.2-x"), "checkpoint removed")
        self.assertEqual((self.names(), os.listdir(self.path())), ([], []))
        self.assert_error(self.remove("Monday_1.2-x"), 404)
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"after")])

    def test_names_that_could_lead_elsewhere_are_refused(self):
        self.make("good")
        outside = os.path.join(self.folder, "outside")
        shutil.copytree(self.path("good"), outside)
        for name in ("", ".", "..", ".hidden", "../outside", "a/b", "/tmp/x", "a b", "a\\b", "ä",
                     "good/", "x" * 101, "x\0y", "x.partial-checkpoint", "a\nb", "%2e%2e"):
            with self.subTest(name):
                self.assert_error(self.make(name), 400, "name")
                self.assert_error(self.remove(name), 400, "name")
        self.assert_ok(self.make("x" * 100), "checkpoint made")
        self.assertEqual(sorted(self.names()), ["good", "x" * 100])
        self.assertTrue(os.path.exists(os.path.join(outside, "CURRENT")))

    def test_a_name_is_used_once(self):
        self.assert_ok(self.make("one"), "checkpoint made")
        response = self.make("one")
        self.assert_error(response, 400, "already")
        self.assertNotIn(self.folder, response.body.decode())

    def test_links_are_not_followed(self):
        self.make("good")
        outside = os.path.join(self.folder, "outside")
        shutil.copytree(self.path("good"), outside)
        os.symlink(outside, self.path("link"))
        self.assertEqual(self.names(), ["good"])
        self.assert_error(self.remove("link"), 404)
        os.symlink(outside, self.path("good", "inner"))
        self.assert_ok(self.remove("good"), "checkpoint removed")
        self.assertTrue(os.path.exists(os.path.join(outside, "CURRENT")))
        self.assertEqual(os.listdir(self.path()), ["link"])

    def test_what_is_no_checkpoint_is_neither_listed_nor_removed(self):
        self.make("good")
        os.mkdir(self.path("folder"))
        with open(self.path("folder", "precious"), "w", encoding="utf-8"):
            pass
        with open(self.path("file"), "w", encoding="utf-8"):
            pass
        self.assertEqual(self.names(), ["good"])
        for name in ("folder", "file"):
            self.assert_error(self.remove(name), 404)
        self.assertEqual(sorted(os.listdir(self.path())), ["file", "folder", "good"])

    def test_what_a_crash_left_of_a_removal_goes_with_the_next(self):
        self.make("first")
        self.make("second")
        os.rename(self.path("first"), self.path(".removing-first"))
        self.assertEqual(self.names(), ["second"])
        self.remove("second")
        self.assertEqual(os.listdir(self.path()), [])

    def test_bodies_that_are_none_are_refused(self):
        for body in ("", "{", "[]", "7", "{}", '{"name":1}', '{"name":null}', '{"name":"a","x":1}',
                     '{"name":"a","name":"b"}', '{"name":{"name":"a"}}', '{"name":["a"]}',
                     '{"name":"' + "a" * 5000 + '"}', '{"name":"a"} x', b'{"name":"\xff"}'):
            with self.subTest(body):
                self.assert_error(self.post("/admin/checkpoint", body), 400)
        self.assertEqual(self.names(), [])


class Rights(Admin):
    arguments = ("--api-key", KEY)

    def test_a_reading_key_looks_and_changes_nothing(self):
        self.server.stop()
        self.start(*self.configure(f'read_api_keys = ["{READING_KEY}"]\n'))
        reading = [("X-API-Key", READING_KEY)]
        for path in ("flush", "compact", "gc", "delete", "patch", "checkpoint"):
            self.assertEqual(self.post(f"/admin/{path}").status, 401)
            self.assertEqual(self.post(f"/admin/{path}", None, reading).status, 403)
        target = "/admin/checkpoint?name=x"
        self.assertEqual(self.request("DELETE", target, None, reading).status, 403)
        for path in ("query", "checkpoints"):
            self.assertEqual(self.request("GET", f"/admin/{path}").status, 401)
            self.assertEqual(self.request("GET", f"/admin/{path}", None, reading).status, 200)

    def test_a_page_of_another_site_cannot_make_a_browser_do_it(self):
        self.server.stop()
        self.arguments = ()
        self.start()
        headers = [("Sec-Fetch-Site", "cross-site")]
        for path in ("flush", "compact", "gc"):
            self.assertEqual(self.post(f"/admin/{path}", None, headers).status, 403)


if __name__ == "__main__":
    unittest.main()
