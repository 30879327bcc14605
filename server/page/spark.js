/* A small line of the last minutes, from zero up. */

import {makeSvg} from "./dom.js";

/* It begins short, so that there is something to see soon. */
const WINDOW_MS = 240000;
const WINDOW_MIN_MS = 60000;
const WIDTH = 240;
const HEIGHT = 40;
/* Two points further apart than this are not joined: nobody looked meanwhile. */
const GAP_MS = 12000;

export class Spark {
    constructor() {
        this.points = []; /* {at, value}, the oldest first */
        this.area = makeSvg("path", {class: "area"});
        this.line = makeSvg("path", {class: "line"});
        this.element = makeSvg("svg", {
            viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
        }, this.area, this.line);
    }

    add(at, value) {
        this.points.push({at, value});
        while (this.points[0].at < at - WINDOW_MS) {
            this.points.shift();
        }
        this.draw(at);
    }

    get max() {
        return this.points.reduce((most, point) => Math.max(most, point.value), 0);
    }

    draw(now) {
        const top = this.max || 1;
        const window = Math.max(now - this.points[0].at, WINDOW_MIN_MS);
        const x = (point) => (WIDTH - (now - point.at) / window * WIDTH).toFixed(1);
        const y = (point) => (HEIGHT - 1.5 - point.value / top * (HEIGHT - 3)).toFixed(1);
        let line = "";
        let area = "";
        for (const run of this.runs()) {
            const path = run.map((point) => `${x(point)} ${y(point)}`).join("L");
            line += `M${path}`;
            area += `M${x(run[0])} ${HEIGHT}L${path}L${x(run.at(-1))} ${HEIGHT}Z`;
        }
        this.line.setAttribute("d", line);
        this.area.setAttribute("d", area);
    }

    /* Points that follow one another closely; one alone gets a little width to be seen. */
    runs() {
        const runs = [];
        for (const point of this.points) {
            const last = runs.at(-1);
            if (last !== undefined && point.at - last.at(-1).at <= GAP_MS) {
                last.push(point);
            } else {
                runs.push([point]);
            }
        }
        return runs.map((run) => run.length > 1 ? run : [{...run[0], at: run[0].at - 500}, run[0]]);
    }
}
