"""scripts/check-layers accepts a tree that keeps the layers and rejects each way to break them."""

import os
import pathlib
import subprocess
import tempfile
import unittest

CHECK = pathlib.Path(os.environ["FLOWDB_SOURCE_DIR"]) / "scripts" / "check-layers"

CLEAN = {
    "include/flowdb/flowdb.h": "",
    "src/base/bytes.h": "#include <flowdb/flowdb.h>\n#include <string.h>\n",
    "src/base/bytes.c": '#include "base/bytes.h"\n',
    "src/merge/source.h": '#include "base/bytes.h"\n',
    "src/cache/cache.h": '#include "base/bytes.h"\n',
    "src/table/table.h": '#include "merge/source.h"\n',
    "src/wal/wal.h": '#include "base/bytes.h"\n',
    "src/engine/engine.c": '#include "table/table.h"\n#include "wal/wal.h"\n',
    "server/http.h": "#include <flowdb/flowdb.h>\n",
    "server/ui/page.c": '#include "http.h"\n',
}


def problems_of(extra):
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**CLEAN, **extra}.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run([CHECK, root], capture_output=True, text=True, check=False)
        assert run.stderr == "", run.stderr
        assert (run.returncode == 0) == (run.stdout == ""), run
        return run.stdout.splitlines()


class CheckLayers(unittest.TestCase):
    def test_accepts_a_tree_that_keeps_the_layers(self):
        self.assertEqual(problems_of({}), [])

    def rejects(self, name, include):
        problems = problems_of({name: f"\n{include}\n"})
        self.assertEqual(len(problems), 1, problems)
        self.assertTrue(problems[0].startswith(f"{name}:2: "), problems)

    def test_rejects_a_higher_layer(self):
        self.rejects("src/base/new.c", '#include "table/table.h"')

    def test_rejects_a_neighbour_on_the_same_level(self):
        self.rejects("src/table/new.c", '#include "wal/wal.h"')
        self.rejects("src/merge/new.c", '#  include "cache/cache.h"')

    def test_rejects_a_path_that_leaves_src(self):
        self.rejects("src/engine/new.c", '#include "../server/http.h"')

    def test_rejects_a_path_that_does_not_start_at_the_layer(self):
        self.rejects("src/base/new.c", '#include "bytes.h"')

    def test_rejects_an_inner_header_in_angle_brackets(self):
        self.rejects("src/engine/new.c", "#include <base/bytes.h>")

    def test_rejects_a_folder_that_is_no_layer(self):
        problems = problems_of({"src/util/new.c": ""})
        self.assertEqual(len(problems), 1, problems)

    def test_rejects_the_engine_in_what_uses_the_library(self):
        for user in ("server", "cli", "bench"):
            self.rejects(f"{user}/new.c", '#include "base/bytes.h"')
            self.rejects(f"{user}/new.c", '#include "../src/base/bytes.h"')
            self.rejects(f"{user}/new.c", "#include <base/bytes.h>")

    def test_rejects_the_server_in_the_benchmarks(self):
        self.rejects("bench/new.c", '#include "../server/http.h"')

    def test_lets_the_inspector_open_files(self):
        self.assertEqual(problems_of({"cli/inspect/new.c": '#include "table/table.h"\n'}), [])


if __name__ == "__main__":
    unittest.main()
