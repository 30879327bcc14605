/* The state in the head of the page, and the tiles: /ready and /stats, every two seconds. */

import {KeyWanted, Refusal, Unreachable, call} from "./client.js";
import {$, make, say} from "./dom.js";
import {bytes, bytesParts, clock, count, countParts, exact, plural, span} from "./format.js";
import {poll, pollAllNow} from "./poll.js";
import {Spark} from "./spark.js";

const SECONDS = 2;

/* How figures read: {number, unit}, and what follows the unit where there is room for it. */
const perSecond = (what) => (number) => ({...countParts(number), rest: `\u202f${what}/s`});
const bytesPerSecond = (number) => ({...bytesParts(number), rest: "/s"});
const percent = (number) => ({number: number.toFixed(number >= 9.95 ? 0 : 1), unit: "%"});

const micros = (number) => number === 0 ? "–" : span(number / 1e6);

/* What happened between two answers, per second; null where a counter began anew. */
function rate(field) {
    return (now, before, seconds) => {
        const difference = now[field] - before[field];
        return difference < 0 ? null : difference / seconds;
    };
}

function hitRate(now, before) {
    const hits = now.block_cache_hits - before.block_cache_hits;
    const asked = hits + now.block_cache_misses - before.block_cache_misses;
    if (hits >= 0 && asked > 0) {
        return hits / asked * 100;
    }
    /* With nothing asked, the figure of all time is the best there is. */
    return now.block_cache_hits + now.block_cache_misses === 0 ? null : now.block_cache_hit_rate * 100;
}

/*
 * value(now, before, seconds): the figure; form: how it reads; note: the line below it; bad: whether it wants attention.
 */
const TILES = [
    {name: "Written", value: rate("total_records_written"), form: perSecond("rec"),
     note: (s) => `${count(s.total_records_written)} since start, p99 ${micros(s.write_latency_p99_us)}`},
    {name: "Bytes written", value: rate("total_bytes_written"), form: bytesPerSecond,
     note: (s) => `${bytes(s.total_bytes_written)} since start`},
    {name: "Read", value: rate("total_records_read"), form: perSecond("rec"),
     note: (s) => `${count(s.total_records_read)} since start`},
    {name: "Requests", value: rate("http_requests_total"), form: perSecond("req"),
     note: (s) => `${plural(s.http_connections, "connection")}, ${exact(s.http_requests_rejected)} refused`},
    {name: "CPU", value: (now, before, seconds) => {
        const used = now.cpu_seconds - before.cpu_seconds;
        return used < 0 ? null : used / seconds * 100;
    }, form: percent, note: (s) => `of one core; ${span(s.cpu_seconds)} since start`},
    {name: "Memory", value: (s) => s.resident_bytes, form: bytesParts,
     note: (s) => `block cache ${bytes(s.block_cache_bytes)} of ${bytes(s.block_cache_capacity_bytes)}`},
    {name: "On disk", value: (s) => s.sstable_bytes + s.wal_bytes, form: bytesParts,
     note: (s) => `${bytes(s.disk_free_bytes)} free`,
     bad: (s) => s.disk_free_bytes < s.disk_reserve_bytes},
    {name: "Tables", value: (s) => s.sstable_count, form: countParts,
     note: (s) => `${count(s.sstable_records)} records, ` +
        `${s.compactions_running === 0 ? "none" : exact(s.compactions_running)} being merged`},
    {name: "Memtable", value: (s) => s.memtable_bytes, form: bytesParts,
     note: (s) => `${count(s.memtable_records)} records, ${exact(s.frozen_memtable_count)} frozen`},
    {name: "Cache hits", value: hitRate, form: percent,
     note: (s) => `${count(s.block_cache_hits)} of ${count(s.block_cache_hits + s.block_cache_misses)} blocks`},
    {name: "UDP", value: rate("udp_packets_received"), form: perSecond("pkt"),
     note: (s) => `${count(s.udp_packets_received)} received, ${count(s.udp_packets_dropped)} dropped`,
     bad: (now, before) => now.udp_packets_dropped > before.udp_packets_dropped},
    {name: "Stalled", value: (now, before, seconds) => {
        const stalled = now.total_write_stall_us - before.total_write_stall_us;
        return stalled < 0 ? null : stalled / 1e3 / seconds;
    }, form: perSecond("ms"),
     note: (s) => `${plural(s.total_write_stalls, "stall")}, longest ${micros(s.write_stall_longest_us)}`,
     bad: (s) => s.writers_stalled > 0},
];

class Tile {
    constructor(definition) {
        this.definition = definition;
        this.spark = new Spark();
        this.number = make("span", {class: "number"}, "–");
        this.unit = make("span", {class: "unit"});
        this.peak = make("span", {class: "peak", title: "the most within four minutes"});
        this.note = make("p", {class: "note"}, "\u00a0");
        this.element = make("li", {class: "tile", "data-name": definition.name},
                            make("h3", {}, definition.name, this.peak),
                            make("p", {class: "value"}, this.number, " ", this.unit),
                            this.spark.element, this.note);
    }

    show(now, before, seconds, at) {
        const {value, form, note, bad} = this.definition;
        const figure = before === null && value.length > 1 ? null : value(now, before ?? now, seconds);
        if (figure !== null) {
            const parts = form(figure);
            this.spark.add(at, figure);
            const most = form(this.spark.max);
            say(this.number, parts.number);
            say(this.unit, parts.unit + (parts.rest ?? ""));
            say(this.peak, `max ${most.number}\u202f${most.unit}`);
        }
        say(this.note, note(now));
        this.element.classList.toggle("bad", bad?.(now, before ?? now) ?? false);
    }
}

/* ------------------------------------------------------------------------------------ state -- */

const KINDS = ["good", "warn", "bad", "wait"];
let silentSince = null;

function setState(kind, text, problem = "") {
    const state = $("state");
    for (const each of KINDS) {
        state.classList.toggle(each, each === kind);
    }
    say(state, text);
    say($("problem"), problem);
    $("problem").hidden = problem === "";
    document.title = kind === "good" ? "FlowDB" : `${text} – FlowDB`;
}

async function lookIfReady() {
    try {
        const {health} = await call("ready", {timeout: 5000});
        setState(health === "good" ? "good" : "warn", health === "good" ? "ready" : health);
    } catch (caught) {
        if (!(caught instanceof Refusal)) {
            throw caught;
        }
        setState("bad", "not ready", caught.message);
    }
}

function reached() {
    if (silentSince !== null) {
        silentSince = null;
        document.body.classList.remove("silent");
        pollAllNow();
    }
}

function unreached() {
    silentSince ??= new Date();
    document.body.classList.add("silent");
    setState("bad", "no answer", `The server has not answered since ${silentSince.toTimeString().slice(0, 8)}. ` +
             "What is shown is from before; it goes on by itself once the server is back.");
}

/* ------------------------------------------------------------------------------------ start -- */

export function startFigures() {
    const tiles = TILES.map((definition) => new Tile(definition));
    const list = $("tiles");
    let before = null;
    let beforeAt = -Infinity;
    list.append(...tiles.map((tile) => tile.element));
    poll(async () => {
        try {
            await lookIfReady();
            reached();
            const now = await call("stats", {timeout: 5000});
            const at = performance.now();
            if (at - beforeAt < 1000) {
                return; /* asked for in between: too short for a rate */
            }
            if (before !== null && now.uptime_secs < before.uptime_secs) {
                before = null; /* another process */
            }
            for (const tile of tiles) {
                tile.show(now, before, (at - beforeAt) / 1e3, at);
            }
            say($("uptime"), `up ${clock(now.uptime_secs)}`);
            say($("figures-problem"), "");
            list.classList.remove("stale");
            before = now;
            beforeAt = at;
        } catch (caught) {
            list.classList.add("stale");
            if (caught instanceof Unreachable) {
                unreached();
            } else if (caught instanceof Refusal || caught instanceof KeyWanted) {
                say($("figures-problem"), caught.message);
            } else {
                throw caught;
            }
        }
    }, SECONDS);
}
