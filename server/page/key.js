/* The dialog that asks for the API key. */

import {call, forgetKey, hasKey, onKeyWanted} from "./client.js";
import {$, say} from "./dom.js";
import {pollAllNow} from "./poll.js";

const dialog = $("key-dialog");
const input = $("key");
const button = $("key-button");

function label() {
    button.hidden = false;
    say(button, hasKey() ? "Forget key" : "Enter key");
}

/* Resolves to the key, or to null where the dialog was closed without one. */
function askOnce(wrong) {
    say($("key-problem"), wrong ? "The server did not take this key." : "");
    input.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    input.focus();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => {
            const given = dialog.returnValue === "use" ? input.value.trim() : "";
            input.value = "";
            resolve(given === "" ? null : given);
            /* By then the caller has the key. */
            setTimeout(label);
            setTimeout(pollAllNow);
        }, {once: true});
    });
}

export function startKey() {
    onKeyWanted(askOnce);
    $("key-form").addEventListener("submit", (event) => {
        event.preventDefault();
        dialog.close("use");
    });
    button.addEventListener("click", async () => {
        if (hasKey()) {
            forgetKey();
            label();
            pollAllNow();
        } else {
            await call("stats", {byUser: true}).catch(() => {});
        }
    });
    $("key-later").addEventListener("click", () => dialog.close(""));
}
