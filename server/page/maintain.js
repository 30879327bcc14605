/* Flush, compact and gc: buttons that say what happened. */

import {call, sentenceOf} from "./client.js";
import {$, make, say} from "./dom.js";
import {span} from "./format.js";
import {pollAllNow} from "./poll.js";

const KEPT = 6;

function report(name, text, seconds, wrong) {
    const time = new Date().toTimeString().slice(0, 8);
    const line = make("li", {class: wrong ? "wrong" : ""}, make("time", {}, time), ` ${name}: ${text} `,
                      make("span", {class: "took"}, `(${span(seconds)})`));
    const log = $("maintain-log");
    $("maintain-none").hidden = true;
    log.prepend(line);
    while (log.children.length > KEPT) {
        log.lastElementChild.remove();
    }
}

async function perform(button) {
    const name = button.dataset.name;
    const state = button.nextElementSibling; /* says what the button does, and meanwhile for how long */
    const meaning = state.textContent;
    const begun = performance.now();
    const taken = () => (performance.now() - begun) / 1e3;
    const show = () => say(state, taken() < 1 ? "running…" : `running, ${Math.floor(taken())}\u202fs`);
    button.disabled = true;
    state.classList.add("running");
    show();
    const timer = setInterval(show, 1000);
    try {
        const answer = await call(button.dataset.path, {method: "POST", byUser: true});
        report(name, answer.message, taken(), false);
    } catch (caught) {
        const sentence = sentenceOf(caught);
        report(name, sentence, taken(), true);
    } finally {
        clearInterval(timer);
        say(state, meaning);
        state.classList.remove("running");
        button.disabled = false;
        pollAllNow();
    }
}

export function startMaintain() {
    for (const button of document.querySelectorAll("button[data-path]")) {
        button.addEventListener("click", () => perform(button));
    }
}
