#!/usr/bin/env python3
"""Reads Prometheus' text format 0.0.4 and says what a strict scraper would not like about it.

    PROGRAM | tests/format/metrics/read_metrics.py

Beside the grammar it holds the naming guide: counters end in _total, nothing else does, units are
seconds and bytes, every metric has a HELP and a TYPE, and histograms add up.
"""

import math
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
TYPES = ("counter", "gauge", "histogram", "untyped")
ABBREVIATED = re.compile(r"_(us|ms|ns|secs|sec|kb|mb|gb)(_|$)")


def parse_value(text):
    if text in ("+Inf", "-Inf", "NaN"):
        return float(text.replace("Inf", "inf"))
    return float(text)


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or match[1] in labels:
            raise ValueError(f"labels {text!r}")
        labels[match[1]] = match[2]
        at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise ValueError(f"labels {text!r}")
            at += 1
    return labels


class Reader:
    """Metrics by name, and the problems found on the way."""

    def __init__(self):
        self.helps, self.types, self.samples = {}, {}, {}
        self.current, self.problems = None, []

    def problem(self, number, what):
        self.problems.append(f"line {number}: {what}")

    def comment(self, number, line):
        words = line.split(" ", 3)
        if len(words) < 4 or words[1] not in ("HELP", "TYPE") or not NAME.fullmatch(words[2]):
            return self.problem(number, f"is no HELP or TYPE: {line!r}")
        kind, name, rest = words[1:]
        known = self.helps if kind == "HELP" else self.types
        if name in known:
            self.problem(number, f"a second {kind} of {name}")
        if kind == "TYPE" and rest not in TYPES:
            self.problem(number, f"no type: {rest!r}")
        if kind == "TYPE" and name != self.current:
            self.problem(number, f"{name} has its TYPE away from its HELP")
        known[name] = rest
        self.current = name

    def family(self, name):
        for suffix in ("_bucket", "_sum", "_count"):
            if name.endswith(suffix) and self.types.get(name[: -len(suffix)]) == "histogram":
                return name[: -len(suffix)]
        return name

    def sample(self, number, line):
        match = SAMPLE.fullmatch(line)
        if not match:
            return self.problem(number, f"is no sample: {line!r}")
        try:
            labels = parse_labels(match[2][1:-1] if match[2] else "")
            value = parse_value(match[3])
        except ValueError as error:
            return self.problem(number, f"cannot be read: {error}")
        family = self.family(match[1])
        if family != self.current:
            self.problem(number, f"{match[1]} stands apart from its HELP and TYPE")
        samples = self.samples.setdefault(family, [])
        if any(s[0] == match[1] and s[1] == labels for s in samples):
            self.problem(number, f"{line!r} comes twice")
        samples.append((match[1], labels, value))

    def read(self, text):
        if not text.endswith("\n"):
            self.problems.append("the last line does not end")
        for number, line in enumerate(text.split("\n")[:-1], 1):
            if line.startswith("#"):
                self.comment(number, line)
            else:
                self.sample(number, line)
        for name in self.types:
            self.check(name)
        return self.problems

    def check(self, name):
        kind, samples = self.types[name], self.samples.get(name, [])
        if name not in self.helps or not self.helps[name].strip():
            self.problems.append(f"{name} has no HELP")
        if not samples:
            self.problems.append(f"{name} has no sample")
        if name.endswith("_total") != (kind == "counter"):
            self.problems.append(f"{name} is a {kind}")
        if kind != "histogram" and name.endswith(("_count", "_sum", "_bucket")):
            self.problems.append(f"{name} has the suffix of a histogram")
        if ABBREVIATED.search(name):
            self.problems.append(f"{name} abbreviates its unit")
        if kind == "counter" and any(s[2] < 0 or math.isnan(s[2]) for s in samples):
            self.problems.append(f"{name} counts below 0")
        if kind == "histogram":
            self.check_histograms(name, samples)

    def check_histograms(self, name, samples):
        """One for each set of labels, `le` aside."""
        apart = {}
        for sample in samples:
            others = {label: text for label, text in sample[1].items() if label != "le"}
            apart.setdefault(tuple(sorted(others.items())), []).append(sample)
        for one in apart.values():
            self.check_histogram(name, one)

    def check_histogram(self, name, samples):
        buckets = [(parse_value(s[1]["le"]), s[2]) for s in samples if s[0] == name + "_bucket"]
        count = [s[2] for s in samples if s[0] == name + "_count"]
        total = [s[2] for s in samples if s[0] == name + "_sum"]
        bounds = [bound for bound, _ in buckets]
        if len(count) != 1 or len(total) != 1:
            self.problems.append(f"{name} lacks _count or _sum")
        elif bounds != sorted(set(bounds)) or not bounds or bounds[-1] != math.inf:
            self.problems.append(f"{name} has its bounds in disorder, or no +Inf")
        elif any(a[1] > b[1] for a, b in zip(buckets, buckets[1:])):
            self.problems.append(f"{name} is not cumulative")
        elif buckets[-1][1] != count[0]:
            self.problems.append(f"{name} has a _count that is not its +Inf")


def main():
    problems = Reader().read(sys.stdin.read())
    print("\n".join(problems) or "nothing to complain of")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
