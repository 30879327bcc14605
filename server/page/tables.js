/* The tables by window, and each of them for those who want to know: /admin/tables. */

import {$, make, say, visible} from "./dom.js";
import {bytes, count, exact, minute, plural} from "./format.js";
import {follow} from "./poll.js";

const WINDOWS_SHOWN = 50;
const TABLES_SHOWN = 200;

let last = null;

function windowName(level, start, end) {
    return level === 0 ? "ahead of now" : `${minute(BigInt(start))} – ${minute(BigInt(end))}`;
}

function showWindows({windows, tables}) {
    const largest = windows.reduce((most, each) => Math.max(most, each.file_bytes), 1);
    const rows = windows.slice(0, WINDOWS_SHOWN).map((each) => {
        const bar = make("span", {class: "bar"});
        bar.style.width = `${Math.max(each.file_bytes / largest * 100, 1)}%`;
        return make("tr", {}, make("th", {scope: "row"}, windowName(each.level, each.start, each.end), bar),
                    make("td", {class: "count"}, exact(each.tables)),
                    make("td", {class: "count"}, count(each.records)),
                    make("td", {class: "count"}, bytes(each.file_bytes)));
    });
    const sum = (field) => tables.reduce((all, each) => all + each[field], 0);
    const more = windows.length - rows.length;
    $("windows-rows").replaceChildren(...rows);
    $("windows").hidden = $("tables-each").hidden = rows.length === 0;
    say($("tables-said"), tables.length === 0 ? "No tables yet: all there is is in memory and in the log."
        : `${plural(tables.length, "table")}, ${count(sum("records"))} records, ${bytes(sum("file_bytes"))}, ` +
          `${bytes(sum("raw_bytes"))} before compression${more > 0 ? `; ${exact(more)} older windows not shown` : ""}`);
}

function key(text, base64) {
    return text === undefined && base64 === undefined ? "–" : visible(text ?? `base64 ${base64}`);
}

function showTables({tables}) {
    const rows = tables.slice(0, TABLES_SHOWN).map((each) => make(
        "tr", {}, make("th", {scope: "row", class: "count"}, exact(each.id)),
        make("td", {}, windowName(each.level, each.window_start, each.window_end)),
        make("td", {class: "key"}, key(each.min_key, each.min_key_base64)),
        make("td", {class: "key"}, key(each.max_key, each.max_key_base64)),
        make("td", {class: "count"}, exact(each.keys)),
        make("td", {class: "count"}, count(each.records)),
        make("td", {class: "count"}, count(each.deletes + each.range_tombstones)),
        make("td", {class: "count"}, bytes(each.file_bytes))));
    const more = tables.length - rows.length;
    $("tables-rows").replaceChildren(...rows);
    say($("tables-more"), more > 0 ? `${exact(more)} more are not shown.` : "");
}

function showAll() {
    if (last !== null && $("tables-each").open) {
        showTables(last);
    }
}

export function startTables() {
    $("tables-each").addEventListener("toggle", showAll);
    follow("tables", "admin/tables", 10, (body) => {
        last = body;
        showWindows(body);
        showAll();
    });
}
