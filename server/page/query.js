/* Asking for records: the form, and the table of what comes. */

import {call, sentenceOf, target} from "./client.js";
import {$, make, say, visible} from "./dom.js";
import {exact, isNever, localTime, parseTime, plural, span, zone} from "./format.js";

/* A longer value is shown in full when it is asked for. */
const VALUE_SHOWN = 240;

const form = $("query-form");
const field = (name) => form.elements.namedItem(name);

let asked = null; /* the path and parameters of the pages that are shown */
let cursors = []; /* of the pages up to the one that is shown; the first has none */
let next; /* the cursor behind it; undefined at the end */
let running = null; /* what aborts the request that goes on */

/* ------------------------------------------------------------------------------- what to ask -- */

/* Says below the field how it was understood. False where it was not. */
function showTime(name) {
    const input = field(name);
    const said = $(`${name}-said`);
    const text = input.value.trim();
    const us = text === "" ? null : parseTime(text);
    const wrong = text !== "" && us === null;
    input.setAttribute("aria-invalid", String(wrong));
    said.classList.toggle("wrong", wrong);
    said.title = us === null ? "" : `${us} µs`;
    say(said, wrong ? "no time that is understood" : us === null ? "open" : localTime(us) ?? "beyond the calendar");
    return !wrong;
}

/* What /latest does not take is out of reach while it is chosen. */
function showChoices() {
    const range = field("by").value === "range";
    const latest = field("latest").checked;
    field("by").disabled = latest;
    for (const element of form.querySelectorAll("[data-by]")) {
        element.hidden = element.dataset.by !== (range && !latest ? "range" : "prefix");
    }
    field("ts_start").disabled = latest;
    field("order").disabled = latest;
}

function timeOf(name) {
    const text = field(name).value.trim();
    return text === "" ? undefined : String(parseTime(text));
}

/* What is left empty is not asked for. */
const keyOf = (name) => field(name).value === "" ? undefined : field(name).value;

function requestOf() {
    const shared = {limit: field("limit").value, encoding: "text", ts_end: timeOf("ts_end")};
    if (field("latest").checked) {
        return {path: "latest", query: {...shared, prefix: field("prefix").value}};
    }
    const keys = field("by").value === "range"
        ? {key_start: keyOf("key_start"), key_end: keyOf("key_end")} : {prefix: keyOf("prefix")};
    return {path: "query", query: {...shared, ...keys, ts_start: timeOf("ts_start"), order: field("order").value}};
}

/* -------------------------------------------------------------------------------- what comes -- */

function base64Size(text) {
    return text.length / 4 * 3 - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);
}

function content(text, size) {
    if (text.length <= VALUE_SHOWN) {
        return [visible(text)];
    }
    const short = visible(`${text.slice(0, VALUE_SHOWN)}…`);
    const button = make("button", {type: "button", class: "quiet"}, `all ${plural(size, "byte")}`);
    button.addEventListener("click", () => {
        short.replaceWith(visible(text));
        button.remove();
    });
    return [short, " ", button];
}

/* A key or value: as text, or marked as base64. */
function bytesCell(tag, attributes, text, base64) {
    if (text !== undefined) {
        const size = new TextEncoder().encode(text).length;
        return text === "" ? make(tag, attributes, make("span", {class: "mark"}, "empty"))
            : make(tag, attributes, ...content(text, size));
    }
    return make(tag, attributes, make("span", {class: "mark"}, "base64"), " ",
                ...content(base64, base64Size(base64)));
}

function timeCell(text) {
    const us = BigInt(text);
    if (isNever(us)) {
        return make("td", {class: "time"}, make("span", {class: "mark"}, "never"));
    }
    return make("td", {class: "time"}, localTime(us) ?? "beyond the calendar", make("span", {class: "raw"}, String(us)));
}

function showRecords(records) {
    const expires = records.some((record) => !isNever(BigInt(record.expire_at)));
    const rows = records.map((record) => {
        const row = make("tr", {}, bytesCell("th", {scope: "row", class: "key"}, record.key, record.key_base64),
                         timeCell(record.ts),
                         bytesCell("td", {class: "content"}, record.value, record.value_base64));
        if (expires) {
            row.append(timeCell(record.expire_at));
        }
        return row;
    });
    $("expires-head").hidden = !expires;
    $("rows").replaceChildren(...rows);
    $("results").hidden = records.length === 0;
    $("results").scrollTop = 0;
}

function showAnswer(answer, seconds) {
    next = answer.next;
    showRecords(answer.records);
    const page = cursors.length > 1 || next !== undefined ? `page ${exact(cursors.length)}, ` : "";
    const found = answer.count === 0 ? "no records" : plural(answer.count, "record");
    say($("query-said"), `${page}${found} in ${span(seconds)}${next !== undefined ? "; there are more" : ""}`);
}

function showProblem(caught) {
    if (caught.name === "AbortError") {
        say($("query-said"), "stopped");
        return;
    }
    const sentence = sentenceOf(caught);
    $("query-said").classList.add("wrong");
    say($("query-said"), sentence);
}

function showButtons() {
    const busy = running !== null;
    $("query-run").disabled = busy;
    $("query-stop").disabled = !busy;
    $("query-back").disabled = busy || cursors.length < 2;
    $("query-next").disabled = busy || next === undefined;
}

/* Fetches the page behind `trail`'s last cursor; that becomes what is shown if it comes. */
async function fetchPage(request, trail) {
    const begun = performance.now();
    running = new AbortController();
    $("query-said").classList.remove("wrong");
    say($("query-said"), "asking…");
    showButtons();
    try {
        const path = target(request.path, {...request.query, cursor: trail.at(-1)});
        const answer = await call(path, {byUser: true, signal: running.signal});
        asked = request;
        cursors = trail;
        showAnswer(answer, (performance.now() - begun) / 1e3);
    } catch (caught) {
        showProblem(caught);
    } finally {
        running = null;
        showButtons();
    }
}

/* Asks for all records of one key, as if it had been typed. */
export function queryKey(key) {
    form.reset();
    field("by").value = "range";
    field("key_start").value = field("key_end").value = key;
    showChoices();
    ["ts_start", "ts_end"].forEach(showTime);
    form.requestSubmit();
    $("query-title").scrollIntoView();
    $("query-run").focus({preventScroll: true});
}

/* ------------------------------------------------------------------------------------ start -- */

export function startQuery() {
    say($("zone"), `Local times are those of ${zone()}.`);
    for (const name of ["ts_start", "ts_end"]) {
        field(name).addEventListener("input", () => showTime(name));
        showTime(name);
    }
    field("by").addEventListener("change", showChoices);
    field("latest").addEventListener("change", showChoices);
    showChoices();
    showButtons();
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const wrong = ["ts_start", "ts_end"].filter((name) => !field(name).disabled && !showTime(name));
        if (wrong.length > 0) {
            field(wrong[0]).focus();
        } else if (running === null) {
            fetchPage(requestOf(), [undefined]);
        }
    });
    $("query-stop").addEventListener("click", () => running?.abort());
    $("query-next").addEventListener("click", () => fetchPage(asked, [...cursors, next]));
    $("query-back").addEventListener("click", () => fetchPage(asked, cursors.slice(0, -1)));
}
