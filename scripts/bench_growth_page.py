"""The result of scripts/bench-growth as a section of docs/benchmarks.md and docs/growth.svg."""

import math
import statistics
from xml.sax.saxutils import escape

import benchmarks_page
import machine

# Rows with a panel of their own, in the order of the page.
ROWS = [
    "write", "point", "latest", "hour of one series", "full scan, a record", "open",
    "memory, writing", "memory, reading", "bytes on disk a record",
]
# Rows of the table alone.
MORE = ["write, longest of a batch", "compaction, a record", "bytes on disk a record, compacted", "tables",
        "points in the hour"]
COLOURS = ["#1f6feb", "#2da44e", "#d29922"]
INTERVALS = 60


def short(count):
    """10⁵"""
    power = round(math.log10(count))
    digits = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "1" if power == 0 else "10" + str(power).translate(digits)


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Grid:
    def __init__(self, grid):
        self.rows = grid["rows"]
        cells = {tuple(map(int, key.split(" ", 2)[:2])) for key in self.rows}
        self.records = sorted({records for records, _ in cells})
        self.series = sorted({series for _, series in cells})

    def value(self, row, records, series):
        entry = self.rows.get(f"{records} {series} {row}")
        return statistics.median(entry["values"]) if entry else None

    def unit(self, row):
        return next(entry["unit"] for key, entry in self.rows.items() if key.split(" ", 2)[2] == row)

    def line(self, row, series):
        """[(records, value)] of what was measured."""
        pairs = [(records, self.value(row, records, series)) for records in self.records]
        return [pair for pair in pairs if pair[1] is not None]


# ---------------------------------------------------------------------------------------- table --

def growth(line):
    """How many times as much for ten times the records."""
    (few, low), (many, high) = line[0], line[-1]
    if few == many or low == 0:
        return ""
    return f"×{(high / low) ** (1 / math.log10(many / few)):.2f}"


def table(grid):
    heads = [f"{short(records)} × {short(series)}" for series in grid.series
             for records, _ in grid.line("write", series)]
    yield "| records × series | " + " | ".join(heads) + " | for ten times the records |"
    yield "|---|" + "---|" * (len(heads) + 1)
    for row in ROWS + MORE:
        unit = grid.unit(row)
        lines = [grid.line(row, series) for series in grid.series]
        yield (f"| {row}{', ' + unit if unit else ''} | "
               + " | ".join(number(value) for line in lines for _, value in line)
               + " | " + ", ".join(filter(None, map(growth, lines))) + " |")


def stall_lines(stall):
    yield (f"### Pauses of a writer\n\nFor {stall['seconds']:.0f} s one thread wrote batches of a hundred random values of 256 bytes, "
           f"as fast as it was let, over the same gigabyte again and again: {stall['values written'] / 1e3:.1f} GB of values, "
           f"{stall['bytes given to write calls'] / 1e3:.1f} GB given to write calls, "
           f"{stall['values written'] / stall['seconds']:.0f} MB of values a second. Its longest pause was "
           f"**{number(stall['p100'])} ms**.\n")
    yield "| | p50 | p99 | p99.9 | p99.99 | longest | writers made to wait | peak memory |"
    yield "|---|---|---|---|---|---|---|---|"
    yield ("| a batch, ms | " + " | ".join(number(stall[f"p{percent}"]) for percent in ("50", "99", "99.9", "99.99", "100"))
           + f" | {stall['writers made to wait']:,.0f} | {stall['peak memory']:,.0f} MiB |\n")


HEAD = """## Growth

What an operation costs with so many records in so many series; medians of {rounds} round{s} on {machine}.
[bench/README.md](../bench/README.md) says what each row does; `make bench-growth` writes this part. Nothing may grow
faster than the logarithm of the data, but the data. The last column says by what a row grows for ten times the records, for each
number of series: a logarithm grows by ×1.18, from 10⁵ to 10⁷, the data by ×10. What fits no cache of the machine's any
more costs up to a cache miss for each access, and what fits none of the database's a block read and decoded: these
steps are in the last column too.

![Costs as data grow](growth.svg)
"""


def page(result):
    if "grid" in result:
        yield HEAD.format(rounds=result["grid"]["rounds"], s="s" * (result["grid"]["rounds"] > 1), machine=machine.sentence(result["machine"]))
        yield from table(Grid(result["grid"]))
        yield ""
    if "stall" in result:
        yield from stall_lines(result["stall"])


# --------------------------------------------------------------------------------------- chart --

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS, TOP = 300, 190, 3, 40
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 50, 16, 30, 26


class Panel:
    """A plot with logarithmic axes; its lower left corner is the smallest of both."""

    def __init__(self, number, title, horizontal, vertical, log_x=True):
        self.x = (number % COLUMNS) * PANEL_WIDTH + MARGIN_LEFT
        self.y = TOP + (number // COLUMNS) * PANEL_HEIGHT + MARGIN_TOP
        self.width = PANEL_WIDTH - MARGIN_LEFT - MARGIN_RIGHT
        self.height = PANEL_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM
        self.log_x = log_x
        self.low_x, self.high_x = horizontal
        # At least two powers of ten, so that what does not grow looks flat.
        low, high = math.floor(math.log10(min(vertical))), math.ceil(math.log10(max(vertical)))
        self.low, self.high = low, max(high, low + 2)
        self.parts = [f'<text x="{self.x}" y="{self.y - 12}" class="h">{escape(title)}</text>',
                      f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" class="f"/>']
        for power in range(self.low, self.high + 1):
            y = self.place_y(10 ** power)
            self.parts.append(f'<line x1="{self.x}" x2="{self.x + self.width}" y1="{y:.1f}" y2="{y:.1f}" class="t"/>'
                              f'<text x="{self.x - 5}" y="{y + 3:.1f}" text-anchor="end" class="n">{10.0 ** power:,g}</text>')

    def place_x(self, value):
        if self.log_x:
            part = math.log(value / self.low_x) / math.log(self.high_x / self.low_x)
        else:
            part = (value - self.low_x) / (self.high_x - self.low_x)
        return self.x + part * self.width

    def place_y(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.y + self.height - part * self.height

    def label_x(self, value, text):
        self.parts.append(f'<text x="{self.place_x(value):.1f}" y="{self.y + self.height + 15}" '
                          f'text-anchor="middle" class="n">{escape(text)}</text>')

    def line(self, pairs, colour, dots=True):
        points = [(self.place_x(x), self.place_y(y)) for x, y in pairs if y > 0]
        self.parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" '
                          f'fill="none" stroke="{colour}" stroke-width="1.8"/>')
        if dots:
            self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]


def grid_panels(grid):
    for index, row in enumerate(ROWS):
        lines = [grid.line(row, series) for series in grid.series]
        values = [value for line in lines for _, value in line if value > 0]
        panel = Panel(index, f"{row}, {grid.unit(row)}", (grid.records[0], grid.records[-1]), values)
        for records in grid.records:
            panel.label_x(records, short(records))
        for line, colour in zip(lines, COLOURS):
            panel.line(line, colour)
        yield panel


def stall_panels(stall, index):
    seconds = stall["seconds"]
    for row, title in (("longest", "longest pause, ms, by second"), ("rate", "values written, MB/s")):
        pairs = [((number + 0.5) * seconds / INTERVALS, stall[f"interval {number}, {row}"])
                 for number in range(INTERVALS)]
        panel = Panel(index, title, (0, seconds), [value for _, value in pairs if value > 0], log_x=False)
        for part in (0, 0.5, 1):
            panel.label_x(seconds * part, f"{seconds * part:g}")
        panel.line(pairs, COLOURS[0], dots=False)
        yield panel
        index += 1


def chart(result):
    panels, legend = [], ""
    if "grid" in result:
        grid = Grid(result["grid"])
        panels += grid_panels(grid)
        legend = "".join(f'<circle cx="{MARGIN_LEFT + i * 120 + 4}" cy="18" r="4" fill="{colour}"/>'
                         f'<text x="{MARGIN_LEFT + i * 120 + 14}" y="22">{short(series)} series</text>'
                         for i, (series, colour) in enumerate(zip(grid.series, COLOURS)))
        legend += f'<text x="{COLUMNS * PANEL_WIDTH - MARGIN_RIGHT}" y="22" text-anchor="end">horizontal: records</text>'
    if "stall" in result:
        panels += stall_panels(result["stall"], math.ceil(len(panels) / COLUMNS) * COLUMNS)
    width = COLUMNS * PANEL_WIDTH
    height = int(max(panel.y for panel in panels)) + PANEL_HEIGHT - MARGIN_TOP
    body = "".join(part for panel in panels for part in panel.parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}"><style>text{{font:12px sans-serif;fill:#24292f}}'
            f'.n{{font-size:10px;fill:#57606a}}.h{{font-size:12px;font-weight:600}}.t{{stroke:#d0d7de}}'
            f'.f{{fill:none;stroke:#8a8f98}}</style><rect width="{width}" height="{height}" fill="#fff"/>'
            f'{legend}{body}</svg>\n')


def write(result, folder):
    benchmarks_page.replace("growth", "\n".join(page(result)), folder / "benchmarks.md")
    (folder / "growth.svg").write_text(chart(result))
