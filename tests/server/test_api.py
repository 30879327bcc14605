"""What each path answers, in the shapes that clients rely on."""

import base64
import json
import time
import unittest

from harness import NEVER, ServerTest


class Write(ServerTest):
    def test_stores_a_value_of_text(self):
        self.write({"key": "a", "ts": 1, "value": "text"})
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"text")])

    def test_put_is_the_same_as_post(self):
        response = self.request("PUT", "/write", {"records": [{"key": "a", "ts": 1}]})
        self.assertEqual((response.status, response.json), (200, {"written": 1}))
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"")])

    def test_needs_no_content_type(self):
        response = self.request("POST", "/write", '{"records":[{"key":"a","ts":1}]}',
                                [("Content-Type", "application/x-www-form-urlencoded")])
        self.assertEqual(response.json, {"written": 1})

    def test_stores_a_number_as_it_was_written(self):
        texts = ["1", "-0", "1.50", "1e3", "1E+3", "0.1000000000000000000000001",
                 "123456789012345678901234567890"]
        records = ",".join(f'{{"key":"a","ts":{ts},"value":{text}}}'
                           for ts, text in enumerate(texts))
        self.assertEqual(self.request("POST", "/write", f'{{"records":[{records}]}}').status, 200)
        self.assertEqual([value for _, _, _, value in self.query()],
                         [text.encode() for text in texts])

    def test_base64_wins_over_text_in_either_order(self):
        body = ('{"records":[{"key":"a","ts":1,"value":"x","value_base64":"AAE="},'
                '{"key":"a","ts":2,"value_base64":"AAE=","value":"x"}]}')
        self.assertEqual(self.request("POST", "/write", body).json, {"written": 2})
        self.assertEqual([value for _, _, _, value in self.query()], [b"\0\1", b"\0\1"])

    def test_null_is_the_same_as_absent(self):
        self.write({"key": "a", "ts": 1, "value": "x", "value_base64": None, "key_base64": None,
                    "ttl_secs": None, "expire_at": None})
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"x")])

    def test_of_a_member_given_twice_the_last_counts(self):
        body = ('{"records":[{"key":"lost","ts":9}],'
                '"records":[{"key":"a","key":"b","ts":1,"ts":2,"value":"x","value":"y"}]}')
        self.assertEqual(self.request("POST", "/write", body).json, {"written": 1})
        self.assertEqual(self.query(), [(b"b", 2, NEVER, b"y")])

    def test_ignores_members_that_it_does_not_know(self):
        body = {"more": [{"records": 1}], "records": [
            {"tags": {"key": "no", "ts": [1]}, "key": "a", "ts": 1, "value": "x", "unit": "C"}],
            "last": None}
        self.assertEqual(self.request("POST", "/write", body).json, {"written": 1})
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"x")])

    def test_nothing_may_be_written(self):
        self.assertEqual(self.request("POST", "/write", {"records": []}).json, {"written": 0})

    def test_the_later_of_two_records_in_a_batch_wins(self):
        self.write({"key": "a", "ts": 1, "value": "x"}, {"key": "a", "ts": 1, "value": "y"})
        self.assertEqual(self.query(), [(b"a", 1, NEVER, b"y")])

    def test_a_lifetime_becomes_an_expiry(self):
        now = time.time_ns() // 1000
        self.write({"key": "a", "ts": now, "ttl_secs": 60}, {"key": "b", "ts": now, "ttl_secs": 0},
                   {"key": "c", "ts": now, "expire_at": now + 5_000_000_000})
        gone = [{"key": "gone", "ts": now - 120_000_000, "ttl_secs": 60},
                {"key": "gone", "ts": now, "expire_at": now - 1}, {"key": "d", "ts": now}]
        response = self.request("POST", "/write", {"records": gone})
        self.assertEqual(response.json, {"written": 3, "expired": 2})
        self.assertEqual([(key, expire_at) for key, _, expire_at, _ in self.query()],
                         [(b"a", now + 60_000_000), (b"b", NEVER), (b"c", now + 5_000_000_000),
                          (b"d", NEVER)])

    def test_takes_back_what_a_query_answered(self):
        self.write({"key_base64": "/wA=", "ts": -5, "value_base64": "AP8="})
        answer = self.request("GET", "/query").json
        record = dict(answer["records"][0])
        self.assertEqual(record, {"key_base64": "/wA=", "ts": -5, "expire_at": NEVER,
                                  "value": "AP8="})
        record["value_base64"] = record.pop("value")
        self.request("DELETE", "/range?key_start=&key_end=")
        self.write(record)
        self.assertEqual(self.request("GET", "/query").json, answer)

    def test_keeps_every_byte_of_a_value(self):
        value = bytes(range(256)) * 3
        for size in range(len(value) - 5, len(value)):
            self.write({"key": "a", "ts": size,
                        "value_base64": base64.b64encode(value[:size]).decode()})
            self.assertEqual(self.query(ts_start=size)[0][3], value[:size])

    def test_decodes_every_escape(self):
        body = r'{"records":[{"key":"\u00e4\ud83d\ude00\u0000\"\\\/\b\f\n\r\t","ts":1}]}'
        self.assertEqual(self.request("POST", "/write", body).status, 200)
        self.assertEqual(self.query()[0][0], "ä😀\0\"\\/\b\f\n\r\t".encode())

    def test_takes_the_ends_of_the_integers(self):
        self.write({"key": "a", "ts": -2**63}, {"key": "a", "ts": 2**63 - 1})
        self.assertEqual([ts for _, ts, _, _ in self.query()], [-2**63, 2**63 - 1])

    def test_takes_as_much_as_the_limits_allow(self):
        self.write({"key": "k" * 4096, "ts": 1, "value": "v" * 65536},
                   {"key_base64": base64.b64encode(b"\xff" * 4096).decode(), "ts": 1,
                    "value_base64": base64.b64encode(b"w" * 65536).decode()})
        self.assertEqual(self.query(), [(b"k" * 4096, 1, NEVER, b"v" * 65536),
                                        (b"\xff" * 4096, 1, NEVER, b"w" * 65536)])
        escaped = '{"records":[{"key":"e","ts":1,"value":"' + r"\u0041" * 65536 + '"}]}'
        self.assertEqual(self.request("POST", "/write", escaped).json, {"written": 1})
        self.assertEqual(self.query(prefix="e"), [(b"e", 1, NEVER, b"A" * 65536)])

    def test_takes_10000_records_at_once(self):
        self.write(*({"key": f"{i:05}", "ts": i} for i in range(10000)))
        self.assertEqual(len(self.query()), 10000)


class Query(ServerTest):
    def setUp(self):
        super().setUp()
        self.write(*({"key": key, "ts": ts, "value": f"{key}{ts}"}
                     for key in ("a", "b", "ba", "c") for ts in (-1, 0, 1)))

    def keys_and_times(self, **parameters):
        return [(key.decode(), ts) for key, ts, _, _ in self.query(**parameters)]

    def test_without_a_filter_it_answers_everything_in_order(self):
        self.assertEqual(self.keys_and_times(),
                         [(key, ts) for key in ("a", "b", "ba", "c") for ts in (-1, 0, 1)])

    def test_a_prefix_chooses_keys(self):
        self.assertEqual({key for key, _ in self.keys_and_times(prefix="b")}, {"b", "ba"})
        self.assertEqual({key for key, _ in self.keys_and_times(prefix="")},
                         {"a", "b", "ba", "c"})
        self.assertEqual(self.keys_and_times(prefix="bb"), [])

    def test_a_key_range_is_inclusive_and_may_be_open(self):
        for parameters, keys in (({"key_start": "b", "key_end": "ba"}, {"b", "ba"}),
                                 ({"key_start": "b"}, {"b", "ba", "c"}),
                                 ({"key_end": "b"}, {"a", "b"}),
                                 ({"key_start": "b", "key_end": ""}, {"b", "ba", "c"}),
                                 ({"key_start": "c", "key_end": "a"}, set())):
            with self.subTest(parameters):
                self.assertEqual({key for key, _ in self.keys_and_times(**parameters)}, keys)

    def test_a_time_range_is_inclusive_and_may_be_open(self):
        for parameters, times in (({"ts_start": 0}, [0, 1]), ({"ts_end": 0}, [-1, 0]),
                                  ({"ts_start": 0, "ts_end": 0}, [0]),
                                  ({"ts_start": 1, "ts_end": -1}, [])):
            with self.subTest(parameters):
                self.assertEqual(self.keys_and_times(prefix="c", **parameters),
                                 [("c", ts) for ts in times])

    def test_limit_ends_early_and_order_turns_round(self):
        self.assertEqual(self.keys_and_times(limit=2), [("a", -1), ("a", 0)])
        self.assertEqual(self.keys_and_times(order="desc", limit=2), [("c", 1), ("c", 0)])
        self.assertEqual(self.keys_and_times(order="asc"), self.keys_and_times())
        self.assertEqual(self.keys_and_times(order="desc"), self.keys_and_times()[::-1])
        self.assertEqual(len(self.keys_and_times(limit=2**63 - 1)), 12)

    def test_nothing_found_is_no_error(self):
        response = self.request("GET", "/query?prefix=none")
        self.assertEqual(response.body, b'{"records":[],"count":0}')

    def test_the_answer_is_json_that_no_page_runs(self):
        response = self.request("GET", "/query")
        self.assertEqual(response.headers["content-type"], "application/json")
        self.assertEqual(response.headers["x-content-type-options"], "nosniff")

    def test_parameters_decode_to_bytes(self):
        for key in (b"a b", b"a+b", b"%", b"\0", b"a\0b", b"\xff\xfe", "ä".encode(), b"&=?#"):
            with self.subTest(key):
                self.write({"key_base64": base64.b64encode(key).decode(), "ts": 1})
                self.assertEqual([found for found, _, _, _ in
                                  self.query(key_start=key, key_end=key)], [key])
        plus = self.request("GET", "/query?prefix=a+b").json
        self.assertEqual([record["key"] for record in plus["records"]], ["a b"])


class Output(ServerTest):
    def test_escapes_what_could_end_a_script_or_a_line(self):
        key = "</script>\u2028\u2029\u2027\x01\x1f\x7f\"\\\n\r\t é😀"
        self.write({"key": key, "ts": 1})
        body = self.request("GET", "/query").body
        self.assertEqual(json.loads(body)["records"][0]["key"], key)
        for raw in (b"<", "\u2028".encode(), "\u2029".encode(), b"\x01", b"\x1f", b"\x7f", b"\n"):
            self.assertNotIn(raw, body)
        self.assertIn("\u2027".encode(), body)

    def test_keys_that_are_not_utf8_come_in_base64(self):
        keys = [b"\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                b"\xf5\x80\x80\x80", b"\xc3", b"abcdefgh\xff", b"\xf0\x9f\x98"]
        fine = [b"\x7f", "\u0080".encode(), "\ud7ff".encode(), "\U0010ffff".encode()]
        self.write(*({"key_base64": base64.b64encode(key).decode(), "ts": 1}
                     for key in keys + fine))
        for record in self.request("GET", "/query").json["records"]:
            if "key_base64" in record:
                self.assertIn(base64.b64decode(record["key_base64"]), keys)
                self.assertNotIn("key", record)
            else:
                self.assertIn(record["key"].encode(), fine)


class Delete(ServerTest):
    def setUp(self):
        super().setUp()
        self.write(*({"key": key, "ts": ts} for key in ("a", "b", "b\0", "c") for ts in (1, 2)))

    def assert_keys(self, *keys):
        self.assertEqual(sorted({key for key, _, _, _ in self.query()}), sorted(keys))

    def test_deletes_one_record(self):
        response = self.request("DELETE", "/record?key=b%00&ts=1")
        self.assertEqual((response.status, response.json),
                         (200, {"ok": True, "message": "deleted"}))
        self.assertEqual([ts for key, ts, _, _ in self.query() if key == b"b\0"], [2])
        self.assertEqual(len(self.query()), 7)

    def test_deleting_what_is_not_there_is_fine(self):
        self.assertEqual(self.request("DELETE", "/record?key=z&ts=1").status, 200)
        self.assertEqual(len(self.query()), 8)

    def test_deletes_a_range_without_its_end(self):
        response = self.request("DELETE", "/range?key_start=b&key_end=c")
        self.assertEqual((response.status, response.json),
                         (200, {"ok": True, "message": "range deleted"}))
        self.assert_keys(b"a", b"c")

    def test_an_empty_end_is_no_bound(self):
        self.assertEqual(self.request("DELETE", "/range?key_start=b&key_end=").status, 200)
        self.assert_keys(b"a")

    def test_an_empty_start_is_no_bound(self):
        self.assertEqual(self.request("DELETE", "/range?key_start=&key_end=b").status, 200)
        self.assert_keys(b"b", b"b\0", b"c")

    def test_deletes_a_prefix(self):
        self.assertEqual(self.request("DELETE", "/range?prefix=b").status, 200)
        self.assert_keys(b"a", b"c")

    def test_deletes_a_prefix_that_ends_in_the_last_byte(self):
        keys = [b"\xfe", b"\xfe\xff", b"\xfe\xff\xff", b"\xff", b"\xff\xff"]
        self.write(*({"key_base64": base64.b64encode(key).decode(), "ts": 1} for key in keys))
        self.assertEqual(self.request("DELETE", "/range?prefix=%FE%FF").status, 200)
        self.assert_keys(b"a", b"b", b"b\0", b"c", b"\xfe", b"\xff", b"\xff\xff")
        self.assertEqual(self.request("DELETE", "/range?prefix=%FF").status, 200)
        self.assert_keys(b"a", b"b", b"b\0", b"c", b"\xfe")

    def test_later_writes_are_not_touched(self):
        self.request("DELETE", "/range?key_start=&key_end=")
        self.assertEqual(self.query(), [])
        self.write({"key": "a", "ts": 1})
        self.assert_keys(b"a")


class Patch(ServerTest):
    def setUp(self):
        super().setUp()
        self.now = time.time_ns() // 1000
        self.write({"key": "a", "ts": self.now, "value": "old", "ttl_secs": 60})
        self.expiry = self.now + 60_000_000

    def patch(self, **members):
        response = self.request("PATCH", "/record", {"key": "a", "ts": self.now, **members})
        self.assertEqual(response.status, 200, response.body)
        updated = response.json
        self.assertEqual(updated, self.request("GET", "/query").json)
        self.assertEqual(updated["count"], 1)
        record = updated["records"][0]
        self.assertEqual((record["key"], record["ts"]), ("a", self.now))
        return base64.b64decode(record["value"]), record["expire_at"]

    def test_changes_the_value_and_keeps_the_expiry(self):
        self.assertEqual(self.patch(value="new"), (b"new", self.expiry))
        self.assertEqual(self.patch(value=1.5), (b"1.5", self.expiry))
        self.assertEqual(self.patch(value_base64="AAE="), (b"\0\1", self.expiry))
        self.assertEqual(self.patch(value=""), (b"", self.expiry))

    def test_changes_the_expiry_and_keeps_the_value(self):
        self.assertEqual(self.patch(ttl_secs=120), (b"old", self.now + 120_000_000))
        self.assertEqual(self.patch(expire_at=self.expiry + 1), (b"old", self.expiry + 1))
        self.assertEqual(self.patch(ttl_secs=0), (b"old", NEVER))

    def test_changes_both_or_nothing(self):
        self.assertEqual(self.patch(value="new", ttl_secs=1000),
                         (b"new", self.now + 1000_000_000))
        self.assertEqual(self.patch(), (b"new", self.now + 1000_000_000))

    def test_what_is_not_there_is_not_found(self):
        for member in ({"ts": 1}, {"key": "b"}):
            body = {"key": "a", "ts": self.now, "value": "x", **member}
            self.assert_error(self.request("PATCH", "/record", body), 404)
        self.assertEqual(len(self.query()), 1)

    def test_takes_a_key_in_base64(self):
        self.write({"key_base64": "/w==", "ts": 1, "value": "old"})
        response = self.request("PATCH", "/record", {"key_base64": "/w==", "ts": 1, "value": "x"})
        self.assertEqual(response.json["records"][0],
                         {"key_base64": "/w==", "ts": 1, "expire_at": NEVER, "value": "eA=="})


class Health(ServerTest):
    def test_answers_that_it_is_there(self):
        response = self.request("GET", "/health")
        self.assertEqual((response.status, response.body), (200, b'{"status":"ok"}'))


if __name__ == "__main__":
    unittest.main()
