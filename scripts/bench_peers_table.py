"""The result of scripts/bench-peers as docs/benchmarks.md and a chart."""

import pathlib
import statistics
from xml.sax.saxutils import escape

import benchmarks_page
import machine

# Row, what it is compared with where that is another row, and the ratio to RocksDB that is wanted.
GOALS = {
    "write @100000": 3, "write @1000000": 3,
    "write, buffered @100000": 4, "write, buffered @1000000": 4,
    "write, 8 threads @100000": 4, "write, 8 threads @1000000": 2.5,
    "point, every tenth key @100000": 14, "point, absent key @100000": 6,
    "prefix scan of 1,000 @100000": 10, "full scan @100000": 9,
    "full scan, three overlapping tables @100000": 4, "bytes on disk @100000": 0.4,
    "series, write": 6, "series, point, just opened": 7, "series, an hour of one": 9,
    "series, full scan": 8, "series, bytes on disk": 0.09,
}
# The buffered log is held against RocksDB's ordinary one.
AGAINST = {"write, buffered @100000": "write @100000", "write, buffered @1000000": "write @1000000"}
# Goals for the figure itself.
ABSOLUTE = {"open, random values @10000000": 100}
# What the machine would have to do in any case, and the row that says how long that takes.
LIMITS = {
    **dict.fromkeys(["write", "write, 8 threads"], ("write()", "write")),
    "write, buffered": ("memcpy", "write, buffered"),
    **dict.fromkeys(["point", "point, every tenth key", "point, absent key", "point, just opened"],
                    ("cache miss", "point")),
    **dict.fromkeys(["prefix scan of 1,000", "full scan", "full scan, three overlapping tables"],
                    ("memcpy", "full scan")),
    "series, write": ("write()", "series, write"),
    **dict.fromkeys(["series, point", "series, point, just opened", "series, latest point"],
                    ("cache miss", "series, point, just opened")),
    **dict.fromkeys(["series, full scan", "series, full scan, just opened", "series, an hour of one",
                     "series, ten minutes of all"], ("memcpy", "series, full scan")),
}
SMALLER_IS_BETTER = {"bytes/record", "bytes", "us", "ms", "MiB"}
HIDDEN = "warm up"
BASE = "rocksdb"
COLOURS = {"flowdb": "#1f6feb", "lmdb": "#8a8f98", "leveldb": "#b6bac1", "flowdb-0.1.5": "#d29922"}


def median(entry, store):
    values = entry["values"].get(store)
    return statistics.median(values) if values else None


def number(value, unit):
    if value is None:
        return "–"
    if unit == "records/s":
        for prefix, factor in (("G", 1e9), ("M", 1e6)):
            if value >= factor:
                return f"{value / factor:.3g} {prefix}"
        return f"{value / 1e3:.3g} k"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def cell(entry, store):
    value = median(entry, store)
    if value is None and store in entry["wrong"]:
        return f"wrong ({statistics.median(entry['wrong'][store]):,.0f} missed)"
    text = number(value, entry["unit"])
    values = entry["values"].get(store, [])
    if store == "flowdb" and len(values) > 1:
        text += f" ({number(min(values), entry['unit'])} – {number(max(values), entry['unit'])})"
    return text


def ratio(rows, name):
    """FlowDB's median over RocksDB's; None where one is missing."""
    ours = median(rows[name], "flowdb")
    base = rows.get(AGAINST.get(name, name))
    theirs = median(base, BASE) if base else None
    return ours / theirs if ours and theirs else None


def measured(rows, name):
    """What is held against the goal: a multiple of RocksDB, or our own figure; None where it is missing."""
    if name not in rows:
        return None
    return median(rows[name], "flowdb") if name in ABSOLUTE else ratio(rows, name)


def good(rows, name):
    value, wanted = measured(rows, name), GOALS.get(name, ABSOLUTE.get(name))
    return value <= wanted if rows[name]["unit"] in SMALLER_IS_BETTER else value >= wanted


def reached(rows, name):
    if name not in GOALS or measured(rows, name) is None:
        return ""
    return f"{GOALS[name]:g} {'✓' if good(rows, name) else '✗'}"


def split(name):
    row, _, size = name.partition(" @")
    return row, int(size) if size else 0


def limit(rows, name):
    """(what it is, its figure) of the row's limit; None where it has none."""
    row, size = split(name)
    row = row.removesuffix(", random values")
    if row not in LIMITS:
        return None
    what, limiting = LIMITS[row]
    entry = rows.get(f"{limiting} @{size}" if size else limiting)
    value = median(entry, "limits") if entry else None
    return (what, value) if value else None


def share(rows, name):
    """How near the row is to its limit."""
    found, ours = limit(rows, name), median(rows[name], "flowdb")
    return f"{ours / found[1]:.0%}" if found and ours else ""


def table(result, names):
    rows, stores = result["rows"], [s for s in result["versions"]]
    yield "| | unit | " + " | ".join(stores) + " | × RocksDB | goal | of the limit |"
    yield "|---|---|" + "---|" * (len(stores) + 3)
    for name in names:
        entry, value = rows[name], ratio(rows, name)
        yield (f"| {split(name)[0]} | {entry['unit']} | "
               + " | ".join(cell(entry, store) for store in stores)
               + f" | {f'{value:.3g}' if value else ''} | {reached(rows, name)} | {share(rows, name)} |")


def title(name):
    row, size = split(name)
    return row + (f", {size:,}" if size else "")


def goals(result, notes):
    """Every goal with how far it is reached, and what stands in the way of those that are not."""
    rows, missed = result["rows"], []
    yield "| | FlowDB | RocksDB | × RocksDB | goal | limit | of the limit |"
    yield "|---|---|---|---|---|---|---|"
    for name, wanted in {**GOALS, **ABSOLUTE}.items():
        value = measured(rows, name)
        if value is None:
            continue
        entry, found, reach = rows[name], limit(rows, name), good(rows, name)
        base = rows.get(AGAINST.get(name, name), entry)
        times = f"{value:.3g}" if name in GOALS else ""
        unit = f" {entry['unit']}" if name in ABSOLUTE else ""
        text = f"{found[0]}: {number(found[1], entry['unit'])}" if found else ""
        yield (f"| {title(name)} | {number(median(entry, 'flowdb'), entry['unit'])} | "
               f"{number(median(base, BASE), entry['unit'])} | {times} | {wanted:g}{unit} {'✓' if reach else '✗'} | "
               f"{text} | {share(rows, name)} |")
        if not reach:
            missed.append((name, value, wanted))
    yield ""
    for name, value, wanted in missed:
        note = notes.get(split(name)[0], "")
        yield f"- **{title(name)}**: {value:.3g}, {wanted:g} is the goal. {note}".rstrip()


def sections(result):
    names = [name for name in result["rows"] if HIDDEN not in name]
    for size in sorted({split(name)[1] for name in names} - {0}):
        yield f"{size:,} records", [name for name in names if split(name)[1] == size]
    rest = [name for name in names if split(name)[1] == 0]
    yield "10,000 series × 500 points", [name for name in rest if name.startswith("series")]
    yield "One writer and one reader", [name for name in rest if not name.startswith("series")]


HEAD = """## Beside other stores

{rounds} in turn on {machine}; medians, for FlowDB with the smallest and the largest. {versions}.
[bench/README.md](../bench/README.md) says what each row does; `make bench-peers` writes this part.

Every store gets the same keys, values and batches of 100, made before the clock, and is configured alike: 64 MB memtables,
8 KB blocks, 10 bits of filter a key, zstd where it has it, 128 MB of cache. LMDB neither compresses nor keeps a log: its figures are
what a memory map gives. *Of the limit* is our figure over the least that the machine has to do for the row: one `write` of
each batch's bytes, one cache miss for each lookup, a `memcpy` of the bytes that a scan returns. It can be passed where what lies
in the cache is smaller than that, or asked for in order.

### Goals

What this database is meant to reach beside RocksDB, and what the machine would allow.

{goals}

![FlowDB and others, in multiples of RocksDB](benchmarks.svg)
"""

# Why goals are missed: a row's name, a tab, and what stands in the way. Shown only where one is missed.
NOTES = pathlib.Path(__file__).resolve().parent.parent / "bench" / "peers" / "missed-goals.txt"


def read_notes(path):
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return dict(line.split("\t", 1) for line in lines)


def rounds(result):
    """"5 rounds", and of which size there were fewer."""
    by_size = {}
    for name, entry in result["rows"].items():
        by_size.setdefault(split(name)[1], []).append(len(entry["values"].get("flowdb", [])))
    by_size = {size: statistics.mode(counts) for size, counts in by_size.items() if size}
    most = max(by_size.values())
    fewer = [f"{count} of {size:,} records" for size, count in sorted(by_size.items()) if count < most]
    return f"{most} round{'s' * (most > 1)}" + (f" ({', '.join(fewer)})" if fewer else "")


def page(result, notes):
    versions = ", ".join(f"{name} {version.strip()}" for name, version in result["versions"].items())
    yield HEAD.format(rounds=rounds(result), versions=versions, machine=machine.sentence(result["machine"]),
                      goals="\n".join(goals(result, notes)))
    for title, names in sections(result):
        if names:
            yield f"### {title}\n"
            yield from table(result, names)
            yield ""


# --------------------------------------------------------------------------------------- chart --

WIDTH, LEFT, LINE, BAR = 860, 300, 15, 11
LOWEST, HIGHEST = 0.03, 60.0


def place(value):
    import math
    value = min(max(value, LOWEST), HIGHEST)
    return LEFT + (WIDTH - LEFT - 60) * math.log(value / LOWEST) / math.log(HIGHEST / LOWEST)


def chart(result):
    """For each row with a goal a bar for each store, from 1 (RocksDB) to its multiple; log scale."""
    rows = result["rows"]
    names = [name for name in GOALS if name in rows]
    stores = [store for store in result["versions"] if store != BASE]
    body, y = [], 56
    for name in names:
        row, size = split(name)
        label = row + (f", {size:,}" if size else "")
        body.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(label)}</text>')
        base = median(rows[AGAINST.get(name, name)], BASE)
        for store in stores:
            value = median(rows[name], store)
            if value is None or not base:
                continue
            times = value / base
            low, high = sorted((place(1), place(times)))
            body.append(f'<rect x="{low:.1f}" y="{y}" width="{max(high - low, 1):.1f}" height="{BAR}" '
                        f'fill="{COLOURS[store]}"/><text x="{place(max(times, 1)) + 4:.1f}" y="{y + 10}" '
                        f'class="n">{times:.2g}</text>')
            y += LINE
        y += 8
    legend = "".join(f'<rect x="{LEFT + i * 130}" y="14" width="11" height="11" fill="{COLOURS[store]}"/>'
                     f'<text x="{LEFT + i * 130 + 16}" y="24">{escape(store)}</text>'
                     for i, store in enumerate(stores))
    ticks = "".join(f'<line x1="{place(t):.1f}" x2="{place(t):.1f}" y1="46" y2="{y}" class="t"/>'
                    f'<text x="{place(t):.1f}" y="42" text-anchor="middle" class="n">{t:g}×</text>'
                    for t in (0.1, 0.5, 1, 2, 5, 10, 20, 50))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 8}" '
            f'viewBox="0 0 {WIDTH} {y + 8}"><style>text{{font:12px sans-serif;fill:#24292f}}'
            f'.n{{font-size:10px;fill:#57606a}}.t{{stroke:#d0d7de}}</style>'
            f'<rect width="{WIDTH}" height="{y + 8}" fill="#fff"/>{ticks}{legend}{"".join(body)}</svg>\n')


def write(result, folder):
    benchmarks_page.replace("peers", "\n".join(page(result, read_notes(NOTES))), folder / "benchmarks.md")
    (folder / "benchmarks.svg").write_text(chart(result))
