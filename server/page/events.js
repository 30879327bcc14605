/* What the engine did in the background: /admin/events. */

import {$, make, visible} from "./dom.js";
import {bytes, localTime, recently, span} from "./format.js";
import {follow} from "./poll.js";

const NAMES = {writes_stopped: "writes stopped", writes_resumed: "writes resumed"};
const CALM = new Set(["FLOWDB_OK"]);

/* How long it took, and how much of what it made. */
function measure(event) {
    const sizes = event.bytes_out > 0 ? `, ${bytes(event.bytes_in)} → ${bytes(event.bytes_out)}` : "";
    return `${span(event.duration_us / 1e6)}${sizes}`;
}

function row(event) {
    const at = BigInt(event.started_at);
    const failed = !CALM.has(event.status);
    const kind = make("td", {class: failed ? "wrong" : ""}, NAMES[event.kind] ?? event.kind);
    if (failed) {
        kind.append(make("span", {class: "sub"}, event.status));
    }
    return make("tr", {},
                make("td", {class: "short", title: localTime(at) ?? ""}, recently(at)), kind,
                make("td", {class: "prose"}, visible(event.message), make("span", {class: "sub"}, measure(event))));
}

export function startEvents() {
    follow("events", "admin/events", 5, ({events}) => {
        $("events-rows").replaceChildren(...events.map(row));
    });
}
