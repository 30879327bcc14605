"""docs/openapi.yaml: what docs/openapi.json is made from, and fit to be read by programs and people."""

import json
import os
import pathlib
import re
import runpy
import sys
import unittest

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"SKIPPED: {error}; scripts/install-packages tests has it")
    sys.exit(77)

SOURCE = pathlib.Path(os.environ.get("FLOWDB_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
TEXT = (SOURCE / "docs" / "openapi.json").read_text(encoding="utf-8")
DESCRIPTION = json.loads(TEXT)
METHODS = ("get", "put", "post", "delete", "patch")
EXTENSIONS = {"x-below", "x-either", "x-from-answer", "x-line"}


def walk(node, place="#"):
    """Every object in the description, with where it stands."""
    if isinstance(node, dict):
        yield place, node
        for name, value in node.items():
            yield from walk(value, f"{place}/{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{place}/{index}")


def resolve(node):
    while isinstance(node, dict) and set(node) == {"$ref"}:
        target = DESCRIPTION
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operations():
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", method, path, operation


def parameters_of(operation):
    return [resolve(parameter) for parameter in operation.get("parameters", [])]


def schema_at(schema):
    """A schema that stands by itself, with what its references need."""
    return {"components": DESCRIPTION["components"], "allOf": [schema]}


def check_value(schema, value):
    jsonschema.Draft202012Validator(schema_at(schema)).validate(value)


class Made(unittest.TestCase):
    def test_the_json_is_what_the_yaml_makes(self):
        made = runpy.run_path(str(SOURCE / "scripts" / "make-openapi"))["made"]
        self.assertEqual(TEXT, made(), "run scripts/make-openapi")

    def test_the_yaml_is_what_every_version_of_yaml_reads(self):
        """Merge keys are of YAML 1.1 alone, and of two members with one name the last wins in silence."""
        text = (SOURCE / "docs" / "openapi.yaml").read_text(encoding="utf-8")
        self.assertNotIn("<<", text)
        for node in self.mappings(yaml.compose(text), set()):
            names = [key.value for key, _ in node.value]
            self.assertEqual(len(names), len(set(names)), node.start_mark)

    def mappings(self, node, seen):
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
        for part in node.value:
            for child in part if isinstance(part, tuple) else (part,):
                yield from self.mappings(child, seen)


class Operations(unittest.TestCase):
    def test_each_has_what_readers_need(self):
        tags = {tag["name"] for tag in DESCRIPTION["tags"]}
        for name, _, _, operation in operations():
            with self.subTest(name):
                self.assertRegex(operation["operationId"], r"^[a-z][A-Za-z]+$")
                self.assertRegex(operation["summary"], r"[.?]$")
                self.assertLess(len(operation["summary"]), 90)
                self.assertEqual(len(operation["tags"]), 1)
                self.assertIn(operation["tags"][0], tags)

    def test_ids_are_unique_and_tags_used(self):
        ids = [operation["operationId"] for *_, operation in operations()]
        self.assertEqual(sorted(ids), sorted(set(ids)))
        used = {operation["tags"][0] for *_, operation in operations()}
        self.assertEqual(used, {tag["name"] for tag in DESCRIPTION["tags"]})

    def test_methods_are_methods(self):
        for _, item in DESCRIPTION["paths"].items():
            self.assertLessEqual(set(item), set(METHODS))

    def test_each_says_how_it_refuses(self):
        for name, method, _, operation in operations():
            with self.subTest(name):
                wanted = {"308" if operation["operationId"] == "dashboardSlash" else "200", "400", "403"}
                if operation.get("security", DESCRIPTION["security"]):
                    wanted.add("401")
                if "requestBody" in operation:
                    wanted |= {"413", "415", "503"}
                if method != "get":
                    wanted.add("500")
                self.assertLessEqual(wanted, set(operation["responses"]))

    def test_path_parameters_are_those_of_the_path(self):
        for name, _, path, operation in operations():
            with self.subTest(name):
                declared = [parameter["name"] for parameter in parameters_of(operation)
                            if parameter["in"] == "path"]
                self.assertEqual(declared, re.findall(r"\{(\w+)\}", path))

    def test_groups_of_parameters_name_those_that_there_are(self):
        for name, _, _, operation in operations():
            with self.subTest(name):
                names = [parameter["name"] for parameter in parameters_of(operation)]
                self.assertEqual(len(names), len(set(names)))
                for group in operation.get("x-either", []):
                    self.assertLessEqual(set(group), {"required", "optional"})
                    for name in group.get("required", []) + group.get("optional", []):
                        self.assertIn(name, names)


class Parts(unittest.TestCase):
    def test_errors_have_the_one_shape_and_say_so(self):
        for name, _, _, operation in operations():
            for status, response in operation["responses"].items():
                response = resolve(response)
                if int(status) < 400:
                    continue
                with self.subTest(f"{name} {status}"):
                    self.assertEqual(response["content"]["application/json"]["schema"],
                                     {"$ref": "#/components/schemas/Error"})
                    self.assertEqual("WWW-Authenticate" in response.get("headers", {}),
                                     status == "401")

    def test_every_text_has_an_example(self):
        for place, node in walk(DESCRIPTION):
            for kind, media in node.get("content", {}).items() if "/examples/" not in place else ():
                with self.subTest(f"{place} {kind}"):
                    self.assertEqual("example" in media, kind != "application/octet-stream")

    def test_parameters_have_examples_and_descriptions(self):
        for name, _, _, operation in operations():
            for parameter in parameters_of(operation):
                with self.subTest(f"{name} {parameter['name']}"):
                    self.assertIn("example", parameter)
                    self.assertRegex(parameter["description"].strip(), r"\.$")

    def test_examples_fit_their_schemas(self):
        checked = 0
        for place, node in walk(DESCRIPTION):
            if "example" not in node or "schema" not in node:
                continue
            with self.subTest(place):
                check_value(node["schema"], node["example"])
                for line in node["example"].splitlines() if "x-line" in node else ():
                    check_value(node["x-line"], json.loads(line))
                checked += 1
        self.assertGreater(checked, 40)

    def test_schemas_are_schemas(self):
        for place, node in walk(DESCRIPTION):
            if place.count("/") == 3 and place.startswith("#/components/schemas/"):
                jsonschema.Draft202012Validator.check_schema(node)
            if isinstance(node.get("schema"), dict):
                jsonschema.Draft202012Validator.check_schema(node["schema"])

    def test_a_pattern_is_a_pattern_and_an_object_says_what_it_requires(self):
        for place, node in walk(DESCRIPTION):
            if isinstance(node.get("pattern"), str):
                re.compile(node["pattern"])
            properties = node.get("properties", {})
            for name in node.get("required", []) if isinstance(node.get("required"), list) else ():
                if node.get("type") == "object" and properties:
                    self.assertIn(name, properties, place)

    def test_references_lead_somewhere_and_every_component_is_used(self):
        used = set()
        for place, node in walk(DESCRIPTION):
            if "$ref" in node:
                with self.subTest(place):
                    resolve({"$ref": node["$ref"]})
                used.add(node["$ref"])
        declared = {f"#/components/{kind}/{name}"
                    for kind, parts in DESCRIPTION["components"].items()
                    for name in parts if kind != "securitySchemes"}
        self.assertEqual(declared - used, set())
        schemes = {name for wanted in DESCRIPTION["security"] for name in wanted}
        self.assertEqual(set(DESCRIPTION["components"]["securitySchemes"]), schemes)

    def test_extensions_are_those_that_the_tests_know(self):
        found = {name for _, node in walk(DESCRIPTION) for name in node if name.startswith("x-")}
        self.assertEqual(found, EXTENSIONS)


if __name__ == "__main__":
    unittest.main()
