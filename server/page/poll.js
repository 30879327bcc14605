/* Doing things again and again, as long as somebody looks. */

import {$, say} from "./dom.js";
import {KeyWanted, Refusal, Unreachable, call} from "./client.js";

/* Where answers take long they are asked for less often: a task may take one part in SHARE of the time, and waits at
   most SLOWEST intervals for that. */
const SHARE = 20;
const SLOWEST = 3;

/* What a task returns that is not to be done again before pollAllNow(). */
const STOP = Symbol("stop");

const polls = new Set();

class Poll {
    constructor(task, seconds) {
        this.task = task;
        this.interval = seconds * 1000;
        this.timer = null;
        this.running = false;
        polls.add(this);
        this.run();
    }

    async run() {
        clearTimeout(this.timer);
        if (document.hidden || this.running) {
            return;
        }
        this.running = true;
        const begun = performance.now();
        let goesOn = true;
        try {
            goesOn = await this.task() !== STOP;
        } finally {
            this.running = false;
            const took = performance.now() - begun;
            /* While the key is asked for, time passes that is nobody's work. */
            const rest = Math.max(this.interval - took, Math.min(took * SHARE, SLOWEST * this.interval));
            this.timer = goesOn ? setTimeout(() => this.run(), rest) : null;
        }
    }
}

export function poll(task, seconds) {
    return new Poll(task, seconds);
}

/* After something that changes what they show: a key, an answer after silence, a flush. */
export function pollAllNow() {
    for (const each of polls) {
        each.run();
    }
}

document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
        pollAllNow();
    }
});

/*
 * Keeps a section up to date with what `path` answers. It is hidden until there is an answer, and where the server has no
 * such path; what it shows stays, dimmed, while no answer comes. Its element of class "problem" says why.
 */
export function follow(id, path, seconds, show) {
    const section = $(id);
    const problem = section.querySelector(".problem");
    return poll(async () => {
        try {
            show(await call(typeof path === "string" ? path : path(), {timeout: 10000}));
            section.hidden = false;
            section.classList.remove("stale");
            say(problem, "");
            return null;
        } catch (caught) {
            if (caught instanceof Refusal && (caught.status === 404 || caught.status === 405)) {
                section.hidden = true;
                return STOP;
            }
            if (caught instanceof Refusal || caught instanceof KeyWanted) {
                section.classList.add("stale");
                say(problem, caught.message);
            } else if (caught instanceof Unreachable) {
                section.classList.add("stale");
            } else {
                throw caught;
            }
            return null;
        }
    }, seconds);
}
