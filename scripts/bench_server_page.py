"""The result of scripts/bench-server as a section of docs/benchmarks.md."""

import statistics

import benchmarks_page
import machine


class Rows:
    def __init__(self, rows):
        self.rows = rows

    def median(self, name, value):
        """Of the rounds; `value` makes a figure of what one round saw."""
        return statistics.median(value(outcome) for outcome in self.rows[name])

    def each(self, name, numerator, denominator, scale=1.0):
        return self.median(name, lambda outcome: outcome[numerator] / outcome[denominator] * scale)


def millions(value):
    return f"{value / 1e6:.2f} M"


def microseconds(value):
    return f"{value / 1000:.2f} ms" if value >= 1000 else f"{value:.0f} µs"


def load_row(rows, title, name, latency=True):
    cells = [title, millions(rows.each(name, "records", "seconds")),
             f"{rows.each(name, 'bytes', 'seconds') / 1e6:.0f} MB"]
    for field in ("p50_us", "p99_us"):
        cells.append(microseconds(rows.median(name, lambda outcome: outcome[field])) if latency else "")
    cells += [f"{rows.each(name, 'cpu', 'records', 1e9):.0f} ns", millions(rows.each(name, "records", "cpu"))]
    return "| " + " | ".join(cells) + " |"


def cost(rows, title, name, base_cpu, base_records):
    own = rows.each(name, "own_cpu", "records", 1e9)
    base = rows.each("engine", base_cpu, base_records, 1e9)
    return f"| {title} | {own:.0f} ns | {base:.0f} ns | {own - base:.0f} ns |"


def datagram_row(rows, title, name):
    lost = rows.median(name, lambda outcome: outcome["dropped"] / outcome["requests"] * 100)
    return (f"| {title} | {millions(rows.each(name, 'sent', 'seconds'))} "
            f"| {millions(rows.each(name, 'stored', 'seconds'))} | {lost:.2f} % |")


def pause_row(rows, title, name):
    figures = [microseconds(rows.median(name, lambda outcome: outcome[field]))
               for field in ("p50_us", "p99_us", "max_us")]
    return f"| {title} | " + " | ".join(figures) + f" | {millions(rows.each(name, 'records', 'seconds'))} |"


def render(result):
    rows = Rows(result["rows"])
    lines = [
        "## The server under load", "",
        f"`make bench-server`: flowdb-load, a process of its own, beside a server with its defaults on the same "
        f"machine ({machine.sentence(result['machine'])}). Medians of {result['rounds']} rounds, each with a new "
        "database. A request has 1,000 records, a datagram 34 (1,364 bytes): keys of 19 bytes, values of two "
        "digits after the point. Load and server share the cores, so rates a second say less than the server's "
        "own processor time, which has flushing and what was compacted meanwhile in it.", "",
        "| | records a second | bytes a second | p50 | p99 | CPU a record | records a CPU-second |",
        "|---|---|---|---|---|---|---|",
        load_row(rows, "`/write/binary`, 1 connection", "binary, 1"),
        load_row(rows, "`/write/binary`, 2 connections", "binary, 2"),
        load_row(rows, "`/write`, 1 connection", "json, 1"),
        load_row(rows, "`/write`, 2 connections", "json, 2"),
        load_row(rows, "UDP, as fast as it is sent", "udp, flood", latency=False),
        load_row(rows, "UDP, half a million a second", "udp, paced", latency=False),
        load_row(rows, "`/query?format=ndjson`, everything, 2 connections", "query"), "",
        "What HTTP and the form cost beyond the engine: processor time of the threads that answer, and of one that "
        "calls the library for the same records itself, without what other threads flush and compact:", "",
        "| | CPU a record | of the library alone | HTTP and the form |", "|---|---|---|---|",
        cost(rows, "`/write/binary`", "binary, 1", "own_cpu", "records"),
        cost(rows, "`/write`", "json, 1", "own_cpu", "records"),
        cost(rows, "`/query?format=ndjson`", "query", "scan_own_cpu", "scan_records"), "",
        "| datagrams | records sent a second | stored | lost |", "|---|---|---|---|",
        datagram_row(rows, "half a million a second", "udp, paced"),
        datagram_row(rows, "as fast as they are sent", "udp, flood"), "",
        "Writes of 100 records, one after the other, and the same beside ten connections that each read "
        "everything (a million records at the least) over and over:", "",
        "| | p50 | p99 | longest | records a second |", "|---|---|---|---|---|",
        pause_row(rows, "writes alone", "writes alone"),
        pause_row(rows, "beside ten full scans", "writes beside scans"),
    ]
    return "\n".join(lines)


def write(result, folder):
    benchmarks_page.replace("server", render(result), folder / "benchmarks.md")
