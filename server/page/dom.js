/* Elements. What comes from the server becomes text nodes alone, never markup. */

export const $ = (id) => document.getElementById(id);

/* make("td", {class: "time"}, "text", element): attributes that are false, null or undefined are left out. */
export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value !== false && value !== null && value !== undefined) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
    element.append(...children);
    return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function makeSvg(tag, attributes = {}, ...children) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) {
        element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
}

/* Writes only what changed, so that a screen reader is not told the same again and a selection stays. */
export function say(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}

/* Control characters, and those that turn the direction of text or have no width. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

function escapeOf(character) {
    const short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character];
    return short ?? `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`;
}

/* Nodes that show every character of a text, in a frame of its own direction. */
export function visible(text) {
    const frame = make("bdi");
    let from = 0;
    for (const match of text.matchAll(INVISIBLE)) {
        frame.append(text.slice(from, match.index), make("span", {class: "escape"}, escapeOf(match[0])));
        from = match.index + match[0].length;
    }
    frame.append(text.slice(from));
    return frame;
}
