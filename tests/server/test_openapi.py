"""docs/openapi.yaml against a running server: it has what is described, it describes what the server has,
requests made from it at random are answered as it says, and what it does not allow is refused."""

import base64
import json
import os
import re
import sys
import unittest

from harness import ServerTest, frame, record_bytes, seeded_random

try:
    from described import SOURCE, Description, Generator
except ImportError as error:
    print(f"SKIPPED: {error}; scripts/install-packages tests has it")
    sys.exit(77)

KEY, READING_KEY = "may-do-all", "may-look"
WITH_KEY = [("X-API-Key", KEY)]
# What no test can bring about at will: failures of the engine and of the disk, and overload.
UNSEEN = {500, 503, 507}


def source(*path):
    return SOURCE.joinpath("server", *path).read_text(encoding="utf-8")


def routes_of_the_server():
    """The paths of the route table."""
    names = dict(re.findall(r'#define (FL_API_PAGE\w*) ("[^"]*")', source("api", "api.h")))
    table = re.search(r"fl_api_routes\[\] = \{\n(.*?)\n\};", source("api", "routes.c"), re.S)[1]
    paths = []
    for entry in re.findall(r"^    (\S.*)$", table, re.M):  # what goes on is indented by more
        page_file = re.fullmatch(r'PAGE_FILE\("(.*)"\),', entry)
        plain = re.match(r'\{("[^"]*"|FL_API_PAGE\w*),', entry)
        if page_file:
            paths.append(names["FL_API_PAGE_FILES"].strip('"') + page_file[1])
        elif plain:
            paths.append(names.get(plain[1], plain[1]).strip('"'))
        else:
            raise AssertionError(f"this test does not know what {entry} is")
    return paths


class Described(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.description = Description()
        cls.operations = cls.description.operations()
        cls.files = sorted(os.listdir(SOURCE / "server" / "page"))
        cls.files.remove("index.html")

    def start(self, *arguments, **options):
        path = os.path.join(self.folder, "flowdb.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write(f'api_keys = ["{KEY}"]\nread_api_keys = ["{READING_KEY}"]\n')
        return super().start("--config", path, *arguments, **options)

    def make(self, operation, query=None, body=None, headers=(), file=None):
        """A request that is right in all that is not given."""
        if query is None:
            query = self.generator.query(operation)
        if body is None and operation.body_type is not None:
            body = self.body(operation)
        if "{" in operation.path:
            file = file or self.random.choice(self.files)
        return operation.target(query, file), body, list(headers)

    def body(self, operation):
        if operation.body_type == "application/json":
            return json.dumps(self.generator.value(operation.body_schema)).encode()
        frames = [frame(*(record_bytes(self.random.choice([b"a", b"\xff"]), ts, b"v")
                          for ts in range(self.random.randint(0, 3))))
                  for _ in range(self.random.randint(1, 3))]
        return b"".join(frames)

    def send(self, operation, request, method=None, key=WITH_KEY):
        """The answer, which is as described."""
        target, body, headers = request
        answer = self.request(method or operation.method, target, body, [*key, *headers])
        said = f"{operation.name}: {target:.200} {(body or b'')[:200]} -> {answer.body[:200]}"
        fault = operation.fault_of(answer)
        self.assertIsNone(fault, said)
        self.assertLess(answer.status, 500, said)
        self.seen.add((operation.name, answer.status))
        if answer.headers.get("connection", "").lower() == "close":
            self.connection = self.connect()
        return answer

    def setUp(self):
        super().setUp()
        self.seen = set()
        self.random = seeded_random()
        self.generator = Generator(self.description, self.random)


class Routes(Described):
    def matches(self, described, path):
        return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(described)), path)

    def test_every_path_of_the_server_is_described_and_the_reverse(self):
        described = set(self.description.document["paths"])
        found = routes_of_the_server()
        self.assertGreater(len(found), 20)
        for path in found:
            self.assertTrue(any(self.matches(one, path) for one in described), f"{path} is missing")
        for one in described:
            self.assertTrue(any(self.matches(one, path) for path in found), f"there is no {one}")

    def test_each_path_takes_the_methods_that_are_described(self):
        for path in sorted(set(routes_of_the_server())):
            with self.subTest(path):
                described = {operation.method for operation in self.operations
                             if self.matches(operation.path, path)}
                if "GET" in described:
                    described.add("HEAD")
                for method in ("BREW", "OPTIONS", *({"PUT", "TRACE", "PATCH"} - described)):
                    answer = self.request(method, path, None, WITH_KEY)
                    self.assert_error(answer, 405)
                    self.assertEqual(set(answer.headers["allow"].split(", ")), described)

    def test_what_is_not_described_is_not_there(self):
        for path in ("/", "/openapi.yaml", "/openapi.json/", "/Query", "/admin//", "/v1/query"):
            self.assert_error(self.request("GET", path, None, WITH_KEY), 404)

    def test_each_takes_the_parameters_that_are_described(self):
        names = set(re.findall(r'= \{"(\w+)", KIND_', source("http", "params.c")))
        self.assertGreater(len(names), 10)
        for operation in self.operations:
            with self.subTest(operation.name):
                described = {parameter["name"] for parameter in operation.in_query()}
                self.assertLessEqual(described, names)
                for name in sorted(names):
                    target = operation.target([(name, "\x00")], self.files[0])
                    answer = self.request(operation.method, target, None, WITH_KEY)
                    unknown = f"unknown query parameter: {name}" == (
                        answer.json["message"] if answer.status == 400 else None)
                    self.assertEqual(unknown, name not in described, answer.body)

    def test_the_description_is_served(self):
        answer = self.request("GET", "/openapi.json", None, WITH_KEY)
        self.assertEqual(answer.json, self.description.document)
        self.assertEqual(self.request("GET", "/openapi.json").status, 401)


class Requests(Described):
    def test_what_is_described_is_answered_as_described(self):
        for operation in self.operations:
            with self.subTest(operation.name):
                self.send(operation, self.make(operation, query=[("no_such_parameter", "1")]))
                self.ask_without_right(operation)
        for _ in range(20):
            self.random.shuffle(self.operations)
            for operation in self.operations:
                with self.subTest(operation.name):
                    self.ask(operation)
        self.make_present()
        for operation in self.operations:
            with self.subTest(operation.name):
                self.ask_for_the_rest(operation)
                declared = set(operation.responses) - UNSEEN
                seen = {status for name, status in self.seen if name == operation.name}
                self.assertEqual(declared - seen, set(), "described, and never seen")

    def ask(self, operation):
        kinds = list(operation.responses.get(200, {}).get("content", {}))
        accepted = self.random.choice([None, *kinds])
        headers = [("Accept", accepted), ("Accept-Encoding", "identity")] if accepted else []
        request = self.make(operation, headers=headers)
        answer = self.send(operation, request)
        self.assertIn(answer.status, (200, 308, 404), f"{request} -> {answer.body[:200]}")
        if accepted and answer.status == 200 and "format=" not in request[0]:
            kind = answer.headers["content-type"].split(";")[0]
            self.assertTrue(kind == accepted or "{" in operation.path, f"{accepted} -> {kind}")
        if operation.method == "GET":
            head = self.request("HEAD", request[0], None, [*WITH_KEY, *headers])
            self.assertEqual((head.status, head.body), (answer.status, b""))
            self.assertEqual(head.headers["content-type"], answer.headers["content-type"])
            self.connection = self.connect()
        if answer.headers["content-type"] == "application/json" and "next" in answer.json:
            self.ask_for_more(operation, request, answer)

    def ask_for_more(self, operation, request, answer):
        first = answer
        for _ in range(3):
            if "next" not in answer.json:
                return
            target = f"{request[0]}&cursor={answer.json['next']}"
            answer = self.send(operation, (target, None, []))
            self.assertEqual(answer.status, 200)
            self.assertNotEqual(answer.json, first.json)

    def ask_without_right(self, operation):
        """401, and 403 in the ways that there are."""
        request = self.make(operation)
        answer = self.send(operation, request, key=[])
        self.assertEqual(answer.status == 401, operation.needs_key)
        if operation.method != "GET":
            answer = self.send(operation, request, key=[("Authorization", f"Bearer {READING_KEY}")])
            self.assertEqual(answer.status, 403)
        target, body, _ = request
        basic = base64.b64encode(f":{KEY}".encode()).decode()
        lines = [f"{operation.method} {target} HTTP/1.1", "Host: elsewhere.example",
                 "User-Agent: Mozilla/5.0", f"Authorization: Basic {basic}",
                 f"Content-Length: {len(body or b'')}"]
        self.connection.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        answer = self.connection.read_response()
        self.assertIsNone(operation.fault_of(answer))
        self.assertEqual(answer.status, 403)
        self.seen.add((operation.name, 403))

    def ask_for_the_rest(self, operation):
        if 304 in operation.responses:
            request = self.make(operation)
            tag = self.send(operation, request).headers["etag"]
            known = (*request[:2], [("If-None-Match", tag)])
            self.assertEqual(self.send(operation, known).status, 304)
        if 404 in operation.responses:
            self.ask_for_what_may_be_absent(operation)
        if operation.body_type is not None:
            request = self.make(operation, headers=[("Content-Encoding", "br")])
            self.assertEqual(self.send(operation, request).status, 415)
            self.connection.send_request(operation.method, operation.path, None,
                                         [*WITH_KEY, ("Content-Length", str(1 << 40))])
            answer = self.connection.read_response()
            self.assertIsNone(operation.fault_of(answer))
            self.assertEqual(answer.status, 413)
            self.seen.add((operation.name, 413))
            self.connection = self.connect()

    def make_present(self):
        """What `named` asks for by this name: a record, a checkpoint, and a read that goes on, as its
        reader does not read."""
        value = "v" * 60000
        for ts in range(200):
            self.request("POST", "/write", {"records": [{"key": "long", "ts": ts, "value": value}]},
                         WITH_KEY)
        reader = self.connect()
        reader.send_request("GET", "/query?prefix=long", None, WITH_KEY)
        self.assertEqual(reader.read_head()[0], 200)
        self.running = self.request("GET", "/admin/queries", None, WITH_KEY).json["running"][0]["id"]
        for target, body in (("/write", {"records": [{"key": "present", "ts": 1}]}),
                             ("/admin/checkpoint", {"name": "present"})):
            self.assertEqual(self.request("POST", target, body, WITH_KEY).status, 200)

    def named(self, operation, name):
        """A request for the one thing of this name."""
        known = {"key": name, "ts": 1, "name": name, "id": self.running if name == "present" else 2**62}
        if operation.body_type is not None:
            members = self.description.resolve(operation.body_schema)["properties"]
            return self.make(operation, query=[], body=json.dumps(
                {each: known[each] for each in known if each in members}).encode())
        taken = [parameter["name"] for parameter in operation.in_query()]
        return self.make(operation, query=[pair for pair in known.items() if pair[0] in taken])

    def ask_for_what_may_be_absent(self, operation):
        if "{" in operation.path:
            request = self.make(operation, file="none.css")
            self.assertEqual(self.send(operation, request, key=[]).status, 401)
        else:
            self.assertEqual(self.send(operation, self.named(operation, "present")).status, 200)
            request = self.named(operation, "absent")
        self.assertEqual(self.send(operation, request).status, 404)

    def test_what_is_not_allowed_is_refused_and_changes_nothing(self):
        write = self.operations[0]
        while not self.query():
            self.send(write, self.make(write))
        before, tried = self.query(), 0
        for operation in self.operations:
            for what, pairs in self.generator.wrong_queries(operation):
                self.refuse(operation, what, self.make(operation, query=pairs))
                tried += 1
            if operation.body_type != "application/json":
                continue
            for what, body in self.generator.wrong_bodies(operation):
                self.refuse(operation, what, self.make(operation, body=body))
                tried += 1
        self.assertGreater(tried, 500)
        print(f"{tried} requests were refused")
        self.assertEqual(self.query(), before)

    def refuse(self, operation, what, request):
        with self.subTest(f"{operation.name} {what}"):
            self.assertEqual(self.send(operation, request).status, 400)

    def query(self, **parameters):
        answer = self.request("GET", "/query", None, WITH_KEY)
        self.assertEqual(answer.status, 200)
        return answer.body


if __name__ == "__main__":
    unittest.main()
