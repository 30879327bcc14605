/* Reads that go on, which can be cancelled, and the last slow ones: /admin/queries. */

import {call, sentenceOf} from "./client.js";
import {$, make, say, visible} from "./dom.js";
import {count, plural, recently, span} from "./format.js";
import {follow} from "./poll.js";

/* Rows by id: what goes on keeps its row, and with it the button that somebody is about to press. */
const rows = new Map();
let watch = null;

async function cancel(id, button) {
    button.disabled = true;
    $("reads-said").classList.remove("wrong");
    try {
        const {message} = await call("admin/queries/cancel", {method: "POST", body: {id}, byUser: true});
        say($("reads-said"), message);
    } catch (caught) {
        const sentence = sentenceOf(caught);
        button.disabled = false;
        $("reads-said").classList.add("wrong");
        say($("reads-said"), sentence);
    }
    watch.run();
}

function what(read) {
    return make("th", {scope: "row", class: "key"}, read.path, " ", visible(read.filters));
}

class RunningRow {
    constructor(read) {
        this.time = make("td", {class: "count"});
        this.rows = make("td", {class: "count"});
        this.button = make("button", {type: "button", class: "small"}, "Cancel");
        this.button.setAttribute("aria-label", `Cancel query ${read.id}`);
        this.button.addEventListener("click", () => cancel(read.id, this.button));
        this.element = make("tr", {}, what(read), this.time, this.rows, make("td", {class: "count"}, this.button));
    }

    show(read) {
        say(this.time, span(read.duration_ms / 1e3));
        say(this.rows, count(read.rows));
    }
}

function showRunning(running) {
    const there = new Set(running.map((read) => read.id));
    for (const [id, row] of rows) {
        if (!there.has(id)) {
            row.element.remove();
            rows.delete(id);
        }
    }
    for (const read of running) {
        if (!rows.has(read.id)) {
            rows.set(read.id, new RunningRow(read));
            $("running-rows").append(rows.get(read.id).element);
        }
        rows.get(read.id).show(read);
    }
}

function slowRow(read) {
    return make("tr", {}, what(read), make("td", {class: "count"}, span(read.duration_ms / 1e3)),
                make("td", {class: "count"}, count(read.rows)),
                make("td", {class: read.state === "completed" ? "" : "wrong"}, read.state,
                     make("span", {class: "sub"}, recently(BigInt(read.started_at)))));
}

export function startReads() {
    watch = follow("reads", "admin/queries", 2, (body) => {
        showRunning(body.running);
        say($("running-count"), body.count === 0 ? "None is running." : `${plural(body.count, "read")} running.`);
        $("running").hidden = body.running.length === 0;
        $("slow-rows").replaceChildren(...body.slow.map(slowRow));
        $("slow").hidden = body.slow.length === 0;
        say($("slow-count"), body.slow.length === 0 ? `None took ${span(body.slow_from_ms / 1e3)} or more.`
            : `The last that took ${span(body.slow_from_ms / 1e3)} or more:`);
    });
}
