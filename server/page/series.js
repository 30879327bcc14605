/* What there is: the series with a prefix, and what each holds. /admin/series reads records, so it is asked on demand. */

import {call, sentenceOf, target} from "./client.js";
import {$, make, say, visible} from "./dom.js";
import {bytes, count, minute, plural, span} from "./format.js";
import {follow} from "./poll.js";
import {queryKey} from "./query.js";

/* Of no key that anybody has: answered at once, and tells that the server has the path. */
const PROBE = target("admin/series", {prefix: "\u0000", limit: 1});

let prefix = ""; /* of what is shown */
let next;
let listed = 0;

function keyCell(series) {
    if (series.key === undefined) {
        return make("th", {scope: "row", class: "key"}, make("span", {class: "mark"}, "base64"), " ",
                    visible(series.key_base64));
    }
    const button = make("button", {type: "button", class: "link", title: "Query its records"}, visible(series.key));
    button.addEventListener("click", () => queryKey(series.key));
    return make("th", {scope: "row", class: "key"}, button);
}

const rate = (perSecond) => perSecond === 0 ? "–"
    : perSecond >= 1 ? `${count(perSecond)}/s` : `every ${span(1 / perSecond)}`;

function row(series) {
    const about = series.exact ? "" : "≈\u202f";
    return make("tr", {}, keyCell(series),
                make("td", {class: "count"}, about + count(series.records)),
                make("td", {class: "count"}, about + bytes(series.bytes)),
                make("td", {class: "short"}, minute(BigInt(series.first_ts))),
                make("td", {class: "short"}, minute(BigInt(series.last_ts))),
                make("td", {class: "count"}, rate(series.recent_records_per_sec)));
}

async function list(cursor) {
    const said = $("series-said");
    const begun = performance.now();
    $("series-list").disabled = $("series-more").disabled = true;
    said.classList.remove("wrong");
    say(said, "asking…");
    try {
        const answer = await call(target("admin/series", {prefix, cursor}), {byUser: true});
        const rows = answer.series.map(row);
        if (cursor === undefined) {
            $("series-rows").replaceChildren(...rows);
            listed = 0;
        } else {
            $("series-rows").append(...rows);
        }
        listed += rows.length;
        next = answer.next;
        $("series-results").hidden = listed === 0;
        say(said, `${listed === 0 ? "no series" : plural(listed, "series", "series")} in ` +
            `${span((performance.now() - begun) / 1e3)}${next !== undefined ? "; there are more" : ""}`);
    } catch (caught) {
        const sentence = sentenceOf(caught);
        said.classList.add("wrong");
        say(said, sentence);
    } finally {
        $("series-list").disabled = false;
        $("series-more").disabled = next === undefined;
    }
}

export function startSeries() {
    $("series-form").addEventListener("submit", (event) => {
        event.preventDefault();
        if (!$("series-list").disabled) {
            prefix = $("series-prefix").value;
            next = undefined;
            list(undefined);
        }
    });
    $("series-more").addEventListener("click", () => list(next));
    follow("series", PROBE, 3600, () => {});
}
