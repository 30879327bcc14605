"""/query, /record, /latest and /keys: their forms, their pages, their times."""

import base64
import csv
import io
import json
import unittest

from harness import NEVER, ServerTest, decode_records, query_string, seeded_random

# Every byte, alone and within; what forms quote, escape or take for their own.
HOSTILE = ([bytes([byte]) for byte in range(256)] + [b"k" + bytes([byte]) * 3 for byte in range(256)]
           + [b"base64:", b"base64:AAE=", b"a,b", b'a"b"', b"a\r\nb", b"</script>",
              "\u2028ä😀".encode(), b"\xff" * 40, b"x" * 4096])


def in_base64(data):
    return base64.b64encode(data).decode()


def from_csv(field):
    return (base64.b64decode(field[7:], validate=True) if field.startswith("base64:")
            else field.encode())


class ReadingTest(ServerTest):
    def put(self, *rows):
        """Rows of key, ts and value in bytes."""
        records = [{"key_base64": in_base64(key), "ts": ts, "value_base64": in_base64(value)}
                   for key, ts, value in rows]
        for at in range(0, len(records), 5000):
            self.write(*records[at:at + 5000])

    def get(self, path, headers=(), **parameters):
        response = self.request("GET", path + query_string(**parameters), headers=headers)
        self.assertEqual(response.status, 200, response.body)
        return response

    def rows(self, path, **parameters):
        return [(key, ts, value)
                for key, ts, _, value in decode_records(self.get(path, **parameters).json)]


class Forms(ReadingTest):
    def setUp(self):
        super().setUp()
        self.stored = sorted((key, index, key[::-1]) for index, key in enumerate(HOSTILE))
        self.put(*self.stored)

    def test_json_carries_every_byte(self):
        self.assertEqual(self.rows("/query"), self.stored)

    def test_json_of_text_carries_every_byte(self):
        answer = self.get("/query", encoding="text").json
        self.assertEqual(answer["count"], len(self.stored))
        for record, (key, ts, value) in zip(answer["records"], self.stored):
            expected = {"ts": ts, "expire_at": NEVER}
            for name, data in (("key", key), ("value", value)):
                try:
                    expected[name] = data.decode()
                except UnicodeDecodeError:
                    expected[name + "_base64"] = in_base64(data)
            self.assertEqual(record, expected)

    def test_ndjson_is_a_record_to_a_line(self):
        response = self.get("/query", format="ndjson")
        self.assertEqual(response.headers["content-type"], "application/x-ndjson")
        lines = response.body.decode().split("\n")
        self.assertEqual(lines.pop(), "")
        answer = {"records": [json.loads(line) for line in lines], "count": len(lines)}
        self.assertEqual(answer, self.get("/query").json)

    def test_csv_is_read_back_by_a_csv_reader(self):
        for encoding in ("base64", "text"):
            response = self.get("/query", format="csv", encoding=encoding)
            self.assertEqual(response.headers["content-type"], "text/csv; charset=utf-8")
            self.assertTrue(response.body.startswith(b"key,ts,expire_at,value\r\n"))
            table = list(csv.reader(io.StringIO(response.body.decode(), newline="")))
            decode = from_csv if encoding == "text" else base64.b64decode
            self.assertEqual([(from_csv(key), int(ts), decode(value))
                              for key, ts, _, value in table[1:]], self.stored)
            self.assertEqual({expiry for _, _, expiry, _ in table[1:]}, {str(NEVER)})

    def test_csv_quotes_where_it_must(self):
        self.put((b'q"', 1, b'a,"b"\r\n'), (b"p", 1, b"plain"))
        body = self.get("/query", format="csv", encoding="text", prefix='q"').body
        self.assertEqual(body.split(b"\r\n", 1)[1],
                         b'"q""",1,9223372036854775807,"a,""b""\r\n"\r\n')
        body = self.get("/record", format="csv", encoding="text", key="p", ts=1).body
        self.assertEqual(body.split(b"\r\n", 1)[1], b"p,1,9223372036854775807,plain\r\n")

    def test_the_form_follows_accept_unless_it_is_named(self):
        for accept, form in (("text/csv", "text/csv; charset=utf-8"),
                             ("application/x-ndjson", "application/x-ndjson"),
                             ("TEXT/CSV;q=0.5, application/x-ndjson ; q=0.7",
                              "application/x-ndjson"),
                             ("text/csv;q=0.2, application/json;q=0.3", "application/json"),
                             ("text/csv;q=0", "application/json"), ("*/*", "application/json"),
                             ("text/html, image/png", "application/json"),
                             (",;,q=;text/csv;", "application/json")):
            response = self.get("/query", limit=1, headers=[("Accept", accept)])
            self.assertEqual(response.headers["content-type"], form, accept)
        response = self.get("/query", format="json", headers=[("Accept", "text/csv")])
        self.assertEqual(len(decode_records(response.json)), len(self.stored))

    def test_an_empty_answer_has_its_form(self):
        for form, body in (("json", b'{"records":[],"count":0}'), ("ndjson", b""),
                           ("csv", b"key,ts,expire_at,value\r\n")):
            self.assertEqual(self.get("/query", format=form, prefix="none").body, body)

    def test_an_answer_takes_its_way_back_in(self):
        before = self.get("/query", encoding="text").json
        self.request("DELETE", "/range?key_start=&key_end=")
        self.write(*before["records"])
        self.assertEqual(self.get("/query", encoding="text").json, before)

    def test_keys_of_every_byte_are_listed_once(self):
        self.put(*((key, 1000 + ts, value) for key, ts, value in self.stored))
        answer = self.get("/keys").json
        keys = [base64.b64decode(entry["key_base64"]) if "key_base64" in entry
                else entry["key"].encode() for entry in answer["keys"]]
        self.assertEqual(keys, [key for key, _, _ in self.stored])
        self.assertEqual(answer["count"], len(keys))
        self.assertEqual(self.get("/keys", headers=[("Accept", "text/csv")]).json, answer)


class Pages(ReadingTest):
    def setUp(self):
        super().setUp()
        self.random = seeded_random()
        self.stored = sorted((key, ts, b"v") for key in HOSTILE for ts in range(3))
        self.put(*self.stored)

    def pages(self, path, members="records", **parameters):
        """The answers of all pages."""
        answers = [self.get(path, **parameters).json]
        while "next" in answers[-1]:
            self.assertEqual(answers[-1]["count"], parameters["limit"])
            self.assertRegex(answers[-1]["next"], r"^[A-Za-z0-9_-]+$")
            answers.append(self.get(path, cursor=answers[-1]["next"], **parameters).json)
        self.assertEqual([len(answer[members]) for answer in answers],
                         [answer["count"] for answer in answers])
        return answers

    def paged(self, path, **parameters):
        return [row[:2] for answer in self.pages(path, **parameters)
                for row in decode_records(answer)]

    def test_pages_make_up_the_answer(self):
        expected = [row[:2] for row in self.stored]
        for limit in (7, len(expected) - 1, len(expected), 10**6):
            self.assertEqual(self.paged("/query", limit=limit), expected)
        self.assertEqual(self.paged("/query", limit=100, order="desc"), expected[::-1])

    def test_pages_of_filters_with_any_bytes(self):
        for key in self.random.sample(HOSTILE, 40):
            expected = [row[:2] for row in self.stored if row[0].startswith(key)]
            self.assertEqual(self.paged("/query", limit=2, prefix=key), expected)
            for order in ("asc", "desc"):
                found = self.paged("/query", limit=1, order=order, key_start=key, key_end=key,
                                   ts_start=1)
                self.assertEqual(sorted(found), [(key, 1), (key, 2)])

    def test_an_answer_that_is_whole_has_no_next(self):
        self.assertNotIn("next", self.get("/query", limit=len(self.stored)).json)
        self.assertNotIn("next", self.get("/query").json)
        self.assertIn("next", self.get("/query", limit=len(self.stored) - 1).json)

    def test_a_cursor_is_for_its_question_alone(self):
        asked = {"limit": 1, "prefix": b"k\xff", "ts_start": 0, "order": "asc"}
        cursor = self.get("/query", **asked).json["next"]
        for change in ({"prefix": b"k"}, {"prefix": None}, {"ts_start": 1}, {"ts_start": None},
                       {"order": "desc"}, {"ts_end": 99}, {"precision": "s"}):
            response = self.request("GET", "/query" + query_string(
                **{**asked, "cursor": cursor, **change}))
            self.assert_error(response, 400, "cursor")
        self.assertEqual(self.request("GET", "/keys" + query_string(
            prefix=b"k\xff", cursor=cursor)).status, 400)
        for change in ({"limit": 2}, {"format": "csv"}, {"encoding": "text"}):
            self.get("/query", **{**asked, "cursor": cursor, **change})

    def test_a_cursor_that_was_changed_is_refused(self):
        cursor = self.get("/query", limit=1).json["next"]
        broken = ["", "A", "=", cursor[:-1], cursor + "A", cursor + "=", "+" + cursor[1:], "\xff"]
        for at, letter in enumerate(cursor):
            other = self.random.choice([c for c in "Aa0-_z" if c != letter])
            broken.append(cursor[:at] + other + cursor[at + 1:])
        for text in broken:
            response = self.request("GET", "/query" + query_string(limit=1, cursor=text))
            self.assert_error(response, 400, "cursor")

    def test_pages_go_on_beside_writes_and_deletes(self):
        keys = [b"page%03d" % number for number in range(0, 200, 2)]
        self.put(*((key, 1, b"") for key in keys))
        answer = self.get("/query", prefix="page", limit=10).json
        # What the cursor stands on goes, the next one as well; something comes on both sides.
        self.request("DELETE", "/record?key=page018&ts=1")
        self.request("DELETE", "/record?key=page020&ts=1")
        self.put((b"page001", 1, b""), (b"page018", 2, b""), (b"page019", 1, b""), (b"page199", 1, b""))
        found = self.rows("/query", prefix="page", limit=1000, cursor=answer["next"])
        self.assertEqual([row[0] for row in found],
                         [b"page018", b"page019"] + keys[11:] + [b"page199"])
        self.request("DELETE", "/range?prefix=page")
        self.assertEqual(self.rows("/query", prefix="page", limit=5, cursor=answer["next"]), [])

    def test_a_cursor_outlives_the_server(self):
        cursor = self.get("/query", limit=5).json["next"]
        self.server.stop_at_once()
        self.start()
        self.assertEqual([row[:2] for row in self.rows("/query", limit=5, cursor=cursor)],
                         [row[:2] for row in self.stored[5:10]])

    def test_pages_at_the_ends_of_time(self):
        times = [-2**63, -2**63 + 1, -1, 0, 2**63 - 2, 2**63 - 1]
        self.request("DELETE", "/range?key_start=&key_end=")
        self.put(*((b"e", ts, b"") for ts in times))
        for limit in (1, 2, 3):
            self.assertEqual(self.paged("/query", limit=limit), [(b"e", ts) for ts in times])
            self.assertEqual(self.paged("/query", limit=limit, order="desc"),
                             [(b"e", ts) for ts in times[::-1]])

    def test_pages_of_keys_and_of_latest(self):
        for limit in (1, 50, len(HOSTILE)):
            names = [entry.get("key", entry.get("key_base64"))
                     for answer in self.pages("/keys", "keys", limit=limit)
                     for entry in answer["keys"]]
            self.assertEqual(len(names), len(HOSTILE))
            self.assertEqual(self.paged("/latest", prefix="", limit=limit),
                             [(key, 2) for key in sorted(HOSTILE)])

    def test_a_huge_page_is_complete(self):
        self.put(*((b"huge", ts, b"x" * 50) for ts in range(60000)))
        answer = self.get("/query", prefix="huge", limit=59999).json
        self.assertEqual(answer["count"], 59999)
        rest = self.rows("/query", prefix="huge", limit=59999, cursor=answer["next"])
        self.assertEqual(rest, [(b"huge", 59999, b"x" * 50)])

    def test_what_is_no_limit_is_refused(self):
        for limit in ("0", "-1", "x", "1.5", "", "9223372036854775808"):
            self.assert_error(self.request("GET", f"/query?limit={limit}"), 400, "limit")


class Record(ReadingTest):
    def test_one_record_is_answered_as_a_query_would(self):
        self.put((b"a", 1, b"one"), (b"a", 2, b"two"))
        self.assertEqual(self.rows("/record", key="a", ts=2), [(b"a", 2, b"two")])
        self.assertEqual(self.get("/record", key="a", ts=1, encoding="text").json,
                         {"records": [{"key": "a", "ts": 1, "expire_at": NEVER, "value": "one"}],
                          "count": 1})

    def test_what_is_not_there_is_404(self):
        self.put((b"a", 1, b"one"))
        for query in ("?key=a&ts=2", "?key=b&ts=1", "?key=a%00&ts=1", "?key=a&ts=2&format=csv"):
            self.assert_error(self.request("GET", "/record" + query), 404, "no such record")

    def test_what_is_missing_or_unknown_is_400(self):
        for query, word in (("", "key"), ("?key=a", "ts"), ("?ts=1", "key"), ("?key=&ts=1", "key"),
                            ("?key=a&ts=x", "ts"), ("?key=a&ts=1&prefix=a", "prefix"),
                            ("?key=a&ts=1&format=xml", "format"),
                            ("?key=a&ts=1&encoding=hex", "encoding"),
                            ("?key=a&ts=1&precision=h", "precision must be s, ms, us or ns")):
            self.assert_error(self.request("GET", "/record" + query), 400, word)


class Latest(ReadingTest):
    def setUp(self):
        super().setUp()
        # The greatest ts counts, not what was written last.
        self.put((b"a", 5, b"a5"), (b"a", 9, b"a9"), (b"a", 7, b"a7"), (b"b", -3, b"b"),
                 (b"ba", 1, b"ba1"), (b"c", 2, b"c2"))

    def test_of_one_key(self):
        self.assertEqual(self.rows("/latest", key="a"), [(b"a", 9, b"a9")])
        self.assertEqual(self.rows("/latest", key="a", ts_end=8), [(b"a", 7, b"a7")])
        self.assertEqual(self.rows("/latest", key="a", ts_end=5), [(b"a", 5, b"a5")])
        self.assert_error(self.request("GET", "/latest?key=a&ts_end=4"), 404)
        self.assert_error(self.request("GET", "/latest?key=none"), 404)

    def test_of_each_key_with_a_prefix(self):
        self.assertEqual(self.rows("/latest", prefix=""),
                         [(b"a", 9, b"a9"), (b"b", -3, b"b"), (b"ba", 1, b"ba1"), (b"c", 2, b"c2")])
        self.assertEqual(self.rows("/latest", prefix="b"), [(b"b", -3, b"b"), (b"ba", 1, b"ba1")])
        self.assertEqual(self.rows("/latest", prefix="", ts_end=1), [(b"b", -3, b"b"),
                                                                    (b"ba", 1, b"ba1")])
        self.assertEqual(self.rows("/latest", prefix="none"), [])

    def test_deletes_and_expiry_count(self):
        self.request("DELETE", "/record?key=a&ts=9")
        self.request("PATCH", "/record", {"key": "c", "ts": 2, "expire_at": 3})
        self.assertEqual(self.rows("/latest", prefix=""),
                         [(b"a", 7, b"a7"), (b"b", -3, b"b"), (b"ba", 1, b"ba1")])
        self.assertEqual(self.rows("/latest", key="a"), [(b"a", 7, b"a7")])
        self.assert_error(self.request("GET", "/latest?key=c"), 404)

    def test_agrees_with_a_query_over_many_keys(self):
        random = seeded_random()
        rows = {(b"m%d" % random.randrange(300), random.randrange(-50, 50)): b"%d" % number
                for number in range(4000)}
        self.put(*((key, ts, value) for (key, ts), value in rows.items()))
        for end in (None, -20, 0, 49):
            expected = {}
            for (key, ts), value in sorted(rows.items()):
                if end is None or ts <= end:
                    expected[key] = (key, ts, value)
            found = self.rows("/latest", prefix="m", ts_end=end)
            self.assertEqual(found, [expected[key] for key in sorted(expected)])

    def test_what_it_does_not_take_is_400(self):
        for query, word in (("", "key or prefix"), ("?key=a&prefix=a", "excludes"), ("?key=", "key"),
                            ("?key=a&cursor=x", "cursor"), ("?key=a&ts_start=1", "ts_start"),
                            ("?prefix=a&cursor=x", "cursor")):
            self.assert_error(self.request("GET", "/latest" + query), 400, word)


class Keys(ReadingTest):
    def test_lists_each_key_once(self):
        self.put(*((key, ts, b"") for key in (b"a", b"b", b"ba") for ts in range(100)))
        self.assertEqual(self.get("/keys").json,
                         {"keys": [{"key": "a"}, {"key": "b"}, {"key": "ba"}], "count": 3})
        self.assertEqual(self.get("/keys", prefix="b", limit=1).json["keys"], [{"key": "b"}])
        self.assertEqual(self.get("/keys", prefix="c").body, b'{"keys":[],"count":0}')

    def test_a_deleted_key_is_not_listed(self):
        self.put((b"a", 1, b""), (b"b", 1, b""))
        self.request("DELETE", "/range?prefix=a")
        self.assertEqual(self.get("/keys").json["keys"], [{"key": "b"}])


if __name__ == "__main__":
    unittest.main()
