/* The settings that are in force: /admin/config. */

import {$, make, say, visible} from "./dom.js";
import {plural} from "./format.js";
import {follow} from "./poll.js";

function text(value) {
    return Array.isArray(value) ? value.join(", ") : String(value);
}

function row(setting) {
    const shown = text(setting.value);
    const set = setting.origin !== "default";
    return make("tr", {class: set ? "set" : ""}, make("th", {scope: "row", class: "key"}, setting.name),
                make("td", {class: "content"}, shown === "" ? make("span", {class: "mark"}, "none") : visible(shown)),
                make("td", {class: set ? "" : "faint"}, visible(setting.origin)));
}

export function startSettings() {
    follow("settings", "admin/config", 30, ({settings}) => {
        const set = settings.filter((setting) => setting.origin !== "default");
        $("settings-rows").replaceChildren(...[...set, ...settings.filter((each) => !set.includes(each))].map(row));
        say($("settings-said"), `${plural(settings.length, "setting")}, ${set.length} of them not left at the default`);
    });
}
