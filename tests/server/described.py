"""docs/openapi.json for tests: requests that it allows, requests that it does not, and what an answer has
to be."""

import base64
import copy
import json
import os
import pathlib
import re
import urllib.parse

import jsonschema

SOURCE = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"])
INT64 = 2**63 - 1


def load():
    return json.loads((SOURCE / "docs" / "openapi.json").read_text(encoding="utf-8"))


def close_objects(node):
    """Members that are not described are faults in a test, though not for clients."""
    if isinstance(node, dict):
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for value in node.values():
            close_objects(value)
    elif isinstance(node, list):
        for value in node:
            close_objects(value)


class Description:
    def __init__(self):
        self.document = load()
        self.strict = copy.deepcopy(self.document["components"])
        close_objects(self.strict)

    def resolve(self, node):
        """`node` with what it refers to, as long as it does; members beside $ref win."""
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = {**target, **{name: value for name, value in node.items() if name != "$ref"}}
        return node

    def operations(self):
        return [Operation(self, path, method, operation)
                for path, item in self.document["paths"].items()
                for method, operation in item.items()]

    def validator(self, schema, strict):
        schema = copy.deepcopy(schema)
        if strict:
            close_objects(schema)
        components = self.strict if strict else self.document["components"]
        return jsonschema.Draft202012Validator({"components": components, "allOf": [schema]})


class Operation:
    """One method of one path, its references resolved."""

    def __init__(self, description, path, method, node):
        self.description = description
        self.path = path
        self.method = method.upper()
        self.node = node
        self.name = f"{self.method} {path}"
        self.parameters = [description.resolve(part) for part in node.get("parameters", [])]
        self.responses = {int(status): description.resolve(part)
                          for status, part in node["responses"].items()}
        content = node.get("requestBody", {}).get("content", {})
        self.body_type, media = next(iter(content.items()), (None, {}))
        self.body_schema = media.get("schema")
        self.needs_key = bool(node.get("security", description.document["security"]))

    def in_query(self):
        return [parameter for parameter in self.parameters if parameter["in"] == "query"]

    def parameter(self, name):
        return next(parameter for parameter in self.parameters if parameter["name"] == name)

    def schema_of(self, parameter):
        return self.description.resolve(parameter["schema"])

    def target(self, query=(), file=None):
        """`query` is a list of pairs, so that a name can be there twice."""
        path = self.path if file is None else re.sub(r"\{\w+\}", file, self.path)
        return path + ("?" + urllib.parse.urlencode(query) if query else "")

    def fault_of(self, response):
        """What is wrong with an answer, or None."""
        declared = self.responses.get(response.status)
        if declared is None:
            return f"status {response.status} is not described"
        for name, header in declared.get("headers", {}).items():
            fault = self._header_fault(name, self.description.resolve(header), response.headers)
            if fault:
                return fault
        content = declared.get("content")
        if content is None:
            return "a body that is not described" if response.body else None
        kind = response.headers.get("content-type", "").split(";")[0]
        if kind not in content:
            return f"Content-Type {kind} of {response.status} is not described"
        return self._body_fault(content[kind], kind, response.body)

    def _header_fault(self, name, header, given):
        text = given.get(name.lower())
        if text is None:
            return f"{name} is missing" if header.get("required") else None
        schema = self.description.resolve(header["schema"])
        value = int(text) if schema.get("type") == "integer" else text
        return self._schema_fault(schema, value)

    def _body_fault(self, media, kind, body):
        value = json.loads(body) if kind == "application/json" else body.decode()
        fault = self._schema_fault(media["schema"], value)
        for line in value.splitlines() if "x-line" in media and not fault else ():
            fault = fault or self._schema_fault(media["x-line"], json.loads(line))
        return fault

    def _schema_fault(self, schema, value):
        error = jsonschema.exceptions.best_match(
            self.description.validator(schema, strict=True).iter_errors(value))
        return error and f"{error.json_path}: {error.message}"


class Generator:
    """Values at random: few and small ones, so that requests meet."""

    KEYS = ("a", "b", "boiler.temp", "boiler.fan", "ключ", "k ey&=%", "~")

    def __init__(self, description, random):
        self.description = description
        self.random = random

    def value(self, schema):
        """One that the schema allows."""
        for _ in range(200):
            value = self._try(schema)
            if self.description.validator(schema, strict=False).is_valid(value):
                return value
        raise AssertionError(f"nothing found for {schema}")

    def _try(self, schema):
        schema = self.description.resolve(schema)
        for part in schema.get("allOf", []):
            schema = {**self.description.resolve(part), **schema}
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return getattr(self, "_" + self.random.choice(kinds))(schema)

    def _integer(self, schema):
        least = max(schema.get("minimum", -1000), -1000)
        return self.random.choice([least, self.random.randint(least, 1000), 1000])

    def _number(self, _):
        return self.random.choice([0, -1.5, 71.5, 1e300])

    def _string(self, schema):
        if schema.get("contentEncoding") == "base64":
            size = self.random.choice([1, 2, 3, 10])
            return base64.b64encode(self.random.randbytes(size)).decode()
        if "pattern" in schema:
            return "".join(self.random.choices("abcXYZ019._-", k=self.random.randint(6, 20)))
        return self.random.choice(self.KEYS)

    def _array(self, schema):
        return [self.value(schema["items"]) for _ in range(self.random.choice([0, 1, 1, 5]))]

    def _object(self, schema):
        value = {}
        for name, part in schema.get("properties", {}).items():
            if part is not False and (name in schema.get("required", []) or
                                      self.random.random() < 0.5):
                value[name] = self.value(part)
        return value

    def query(self, operation):
        """Pairs of names and values that the operation takes."""
        first, second = operation.node.get("x-below", (None, None))
        for _ in range(200):
            pairs = self._query(operation)
            given = dict(pairs)
            if not given.get(second) or given.get(first, "").encode() < given[second].encode():
                return pairs
        raise AssertionError(f"{operation.name}: {first} is never below {second}")

    def _query(self, operation):
        """Within one of the groups, where there are groups."""
        grouped = set()
        groups = operation.node.get("x-either", [])
        wanted = set()
        if groups:
            group = self.random.choice(groups)
            grouped = {name for each in groups for names in each.values() for name in names}
            wanted = set(group.get("required", []))
            wanted |= {name for name in group.get("optional", []) if self.random.random() < 0.5}
        pairs = []
        for parameter in operation.in_query():
            name = parameter["name"]
            if "x-from-answer" in parameter:
                continue
            chosen = (name in wanted if name in grouped
                      else parameter.get("required") or self.random.random() < 0.4)
            if chosen:
                pairs.append((name, self.value(parameter["schema"])))
        return pairs

    # ------------------------------------------------------------------- what is not allowed

    def _wrong(self, schema):
        """Values that are not of the schema, at its own level."""
        schema = self.description.resolve(schema)
        kinds = schema.get("type", [])
        yield from [None, True, 7, -1.5, "text", [], {}, [{}], INT64 + 1]
        if "minimum" in schema:
            yield schema["minimum"] - 1
        if "maximum" in schema:
            yield schema["maximum"] + 1
        if "maxLength" in schema:
            yield "x" * (schema["maxLength"] + 1)
        if "maxItems" in schema:
            yield [self.value(schema["items"])] * (schema["maxItems"] + 1)
        if "string" in kinds or "enum" in schema:
            yield from ["", ".", "../up", "ä", "x.partial-checkpoint", "=", "AAE"]

    def wrong_queries(self, operation):
        """(what is wrong, pairs): each parameter with each fault, and faults of the whole."""
        base = self.query(operation)
        yield "unknown", [*base, ("no_such_parameter", "1")]
        for parameter in operation.in_query():
            name = parameter["name"]
            schema = operation.schema_of(parameter)
            validator = self.description.validator(schema, strict=False)
            for value in self._wrong(schema) if "x-from-answer" not in parameter else ["none", ""]:
                is_text = schema["type"] == "string"
                if "x-from-answer" not in parameter and validator.is_valid(
                        str(value) if is_text else value):
                    continue
                if value is None or isinstance(value, (list, dict)):
                    value = ""  # a query string has no other way to say these
                    if is_text and validator.is_valid(value):
                        continue
                yield f"{name}={value!r:.40}", self._with(operation, name, value)
            pairs = self._with(operation, name, self.value(schema))
            yield f"{name} twice", [*pairs, next(pair for pair in pairs if pair[0] == name)]
            if parameter.get("required"):
                yield f"no {name}", [pair for pair in base if pair[0] != name]
        yield from self._wrong_groups(operation)

    def _with(self, operation, name, value):
        """A query that has the parameter with this value, and is right otherwise."""
        for _ in range(200):
            pairs = self.query(operation)
            grouped = [names for group in operation.node.get("x-either", [])
                       if any(name in names for names in group.values())
                       for names in group.values()]
            allowed = {given for given, _ in pairs}
            others = {each for group in operation.node.get("x-either", [])
                      for names in group.values() for each in names}
            mine = {each for names in grouped for each in names}
            if grouped and allowed & (others - mine):
                continue
            missing = [each for group in operation.node.get("x-either", [])
                       if any(name in names for names in group.values())
                       for each in group.get("required", []) if each not in allowed]
            pairs += [(each, self.value(operation.parameter(each)["schema"]))
                      for each in missing if each != name]
            return [pair for pair in pairs if pair[0] != name] + [(name, value)]
        raise AssertionError(f"{operation.name}: nothing goes with {name}")

    def _wrong_groups(self, operation):
        groups = operation.node.get("x-either", [])
        for group in groups:
            for name in group.get("required", []):
                if all("required" in each for each in groups):
                    pairs = self._with(operation, name, "x")
                    yield f"group without {name}", [pair for pair in pairs if pair[0] != name]
            for other in groups:
                if other is group:
                    continue
                for name in other.get("required", []):
                    for mine in group.get("required", []) + group.get("optional", []):
                        pairs = self._with(operation, mine, "x")
                        yield f"{mine} beside {name}", [*pairs, (name, "x")]

    def wrong_bodies(self, operation):
        """(what is wrong, bytes) for a body of JSON."""
        schema = operation.body_schema
        validator = self.description.validator(schema, strict=False)
        for text in (b"", b"{", b"x", b'{"a":1', b"[" * 600, b'{"records":[{"key":"\xff"}]}', b"{}}"):
            yield repr(text[:30]), text
        for place, value in self._wrong_values(schema, self.value(schema), "$"):
            if not validator.is_valid(value):
                yield place, json.dumps(value).encode()

    def _wrong_values(self, schema, value, place):
        schema = self.description.resolve(schema)
        for wrong in self._wrong(schema):
            yield f"{place} = {wrong!r:.40}", wrong
        if isinstance(value, dict):
            yield f"{place}.unknown", {**value, "no_such_member": 1}
            for name in schema.get("required", []):
                yield f"no {place}.{name}", {each: value[each] for each in value if each != name}
            for name, part in schema.get("properties", {}).items():
                yield from self._wrong_members(value, name, part, place)
        if isinstance(value, list):
            good = self.value(schema["items"])
            for inner, wrong in self._wrong_values(schema["items"], good, place + "[1]"):
                yield inner, [good, wrong]

    def _wrong_members(self, value, name, part, place):
        if part is False:
            yield f"{place}.{name}", {**value, name: 1}
            return
        inner = value[name] if name in value else self.value(part)
        for where, wrong in self._wrong_values(part, inner, f"{place}.{name}"):
            if wrong is not None:  # the same as absent
                yield where, {**value, name: wrong}
