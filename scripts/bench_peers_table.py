"""The result of scripts/bench-peers as docs/benchmarks.md and a chart."""

import statistics
from xml.sax.saxutils import escape

import benchmarks_page

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
        return f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.3g} k"
    return f"{value:.3g}"


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


def reached(name, unit, value):
    goal = GOALS.get(name)
    if goal is None or value is None:
        return ""
    good = value <= goal if unit in SMALLER_IS_BETTER else value >= goal
    return f"{goal:g} {'✓' if good else '✗'}"


def split(name):
    row, _, size = name.partition(" @")
    return row, int(size) if size else 0


def table(result, names):
    rows, stores = result["rows"], [s for s in result["versions"]]
    yield "| | unit | " + " | ".join(stores) + " | × RocksDB | goal | of the limit |"
    yield "|---|---|" + "---|" * (len(stores) + 3)
    for name in names:
        entry = rows[name]
        value, limit = ratio(rows, name), median(entry, "limits")
        ours = median(entry, "flowdb")
        share = f"{ours / limit:.0%}" if ours and limit else ""
        yield (f"| {split(name)[0]} | {entry['unit']} | "
               + " | ".join(cell(entry, store) for store in stores)
               + f" | {f'{value:.3g}' if value else ''} | {reached(name, entry['unit'], value)} | {share} |")


def sections(result):
    names = [name for name in result["rows"] if HIDDEN not in name]
    for size in sorted({split(name)[1] for name in names} - {0}):
        yield f"{size:,} records", [name for name in names if split(name)[1] == size]
    rest = [name for name in names if split(name)[1] == 0]
    yield "10,000 series × 500 points", [name for name in rest if name.startswith("series")]
    yield "One writer and one reader", [name for name in rest if not name.startswith("series")]


HEAD = """## Beside other stores

{rounds} rounds in turn on {cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, {file_system}, gcc {compiler}; medians, for
FlowDB with the smallest and the largest. {versions}.
[bench/README.md](../bench/README.md) says what each row does; `make bench-peers` writes this part.

Every store gets the same keys, values and batches of 100, made before the clock, and is configured alike: 64 MB memtables,
8 KB blocks, 10 bits of filter a key, zstd where it has it, 128 MB of cache. LMDB neither compresses nor keeps a log: its figures are
what a memory map gives. *Of the limit* is our figure over the least that the machine has to do for the row: one `write` of
each batch's bytes, one cache miss for each lookup, a `memcpy` of the bytes that a scan returns.

![FlowDB and others, in multiples of RocksDB](benchmarks.svg)
"""


def page(result):
    versions = ", ".join(f"{name} {version.strip()}" for name, version in result["versions"].items())
    yield HEAD.format(rounds=result["rounds"], versions=versions, **result["machine"])
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
    benchmarks_page.replace("peers", "\n".join(page(result)), folder / "benchmarks.md")
    (folder / "benchmarks.svg").write_text(chart(result))
