#!/usr/bin/env python3
"""Puts one section into docs/benchmarks.md and leaves the others as they are.

    scripts/benchmarks_page.py SECTION < text

Each section is written by a benchmark of its own and stands between two comments that name it. The
text brings its own headings, from "##" on.
"""

import pathlib
import sys

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
TITLE = "# Benchmarks\n"
# In the order in which the page has them.
SECTIONS = ["peers", "growth", "server"]


def markers(section):
    return f"<!-- begin {section} -->\n", f"<!-- end {section} -->\n"


def parse(text):
    """{section: its text} of a page."""
    found = {}
    for section in SECTIONS:
        begin, end = markers(section)
        if begin in text:
            inside = text.split(begin, 1)[1]
            if end not in inside:
                raise ValueError(f"the page lacks {end.strip()}")
            found[section] = inside.split(end, 1)[0]
    return found


def render(sections):
    parts = [TITLE]
    for section in SECTIONS:
        if section in sections:
            begin, end = markers(section)
            parts.append(f"{begin}\n{sections[section].strip()}\n\n{end}")
    return "\n".join(parts)


def replace(section, text, page=PAGE):
    """Makes `text` the page's section of that name; the page is made where there is none."""
    if section not in SECTIONS:
        raise ValueError(f"{section} is none of {', '.join(SECTIONS)}")
    sections = parse(page.read_text(encoding="utf-8")) if page.exists() else {}
    sections[section] = text
    page.write_text(render(sections), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SECTIONS:
        print(f"usage: benchmarks_page.py {'|'.join(SECTIONS)} < text", file=sys.stderr)
        sys.exit(2)
    replace(sys.argv[1], sys.stdin.read())
