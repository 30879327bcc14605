/* What comes in by protocol, and what was refused: /admin/ingest. */

import {$, make, say, visible} from "./dom.js";
import {bytes, count, localTime, plural, recently, span} from "./format.js";
import {follow} from "./poll.js";

const NAMES = {http_json: "HTTP, JSON", http_binary: "HTTP, binary", udp: "UDP"};

function protocolRow(protocol) {
    const refused = make("td", {class: protocol.rejected_per_sec > 0 ? "count wrong" : "count"}, count(protocol.rejected));
    return make("tr", {}, make("th", {scope: "row"}, NAMES[protocol.protocol] ?? protocol.protocol),
                make("td", {class: "count"}, `${count(protocol.records_per_sec)}/s`),
                make("td", {class: "count"}, `${bytes(protocol.bytes_per_sec)}/s`),
                make("td", {class: "count"}, count(protocol.records)), refused);
}

function rejection(each) {
    const at = BigInt(each.at);
    return make("tr", {}, make("td", {class: "short", title: localTime(at) ?? ""}, recently(at)),
                make("td", {class: "short"}, NAMES[each.protocol] ?? each.protocol),
                make("td", {class: "prose"}, visible(each.reason)));
}

export function startIngest() {
    follow("ingest", "admin/ingest", 5, (body) => {
        const warned = body.unit_warnings > 0
            ? ` ${plural(body.unit_warnings, "timestamp")} looked like another unit than microseconds.` : "";
        $("protocols-rows").replaceChildren(...body.protocols.map(protocolRow));
        say($("ingest-said"), `Rates over the last ${span(body.window_secs)}.${warned}`);
        $("rejections-rows").replaceChildren(...body.rejections.map(rejection));
        $("rejections").hidden = body.rejections.length === 0;
        say($("rejections-said"), body.rejections.length === 0 ? "Nothing was refused." : "Refused last:");
    });
}
