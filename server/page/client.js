/*
 * Requests to the server that this page came from, and the API key that goes with them.
 *
 * The key is in this module's memory and nowhere else: it is gone with the page.
 */

let key = "";
let ask = null; /* opens the dialog; resolves to a key, or to null where none was given */
let asking = null; /* its promise, while it is open */
let declined = false; /* until somebody does something that needs the key */

/* No answer came. */
export class Unreachable extends Error {}
/* The server wants a key and nobody gave one. */
export class KeyWanted extends Error {}
/* An answer that says no; the message is the server's sentence. */
export class Refusal extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/* JSON whose integers may be beyond what a Number holds: those of 16 digits and more become strings. */
export function parse(text) {
    const tokens = /"(?:[^"\\]|\\.)*"|[-+.\deE]+/g;
    return JSON.parse(text.replace(tokens, (token) => /^-?\d{16,}$/.test(token) ? `"${token}"` : token));
}

export function onKeyWanted(opener) {
    ask = opener;
}

export const hasKey = () => key !== "";

export function forgetKey() {
    key = "";
    declined = true;
}

/* A header has bytes, so a key beyond ASCII goes as its UTF-8. */
const bytesOf = (text) => String.fromCharCode(...new TextEncoder().encode(text));

async function send(path, {method = "GET", body, signal, timeout}) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = timeout === undefined ? null : setTimeout(abort, timeout);
    const headers = {};
    if (key !== "") {
        headers.Authorization = `Bearer ${bytesOf(key)}`;
    }
    if (body !== undefined) {
        headers["Content-Type"] = "application/json";
    }
    signal?.addEventListener("abort", abort, {once: true});
    try {
        const answer = await fetch(path, {
            method, headers, body: body === undefined ? undefined : JSON.stringify(body),
            signal: controller.signal, cache: "no-store", credentials: "omit", redirect: "error",
            referrerPolicy: "no-referrer",
        });
        return {status: answer.status, text: await answer.text()};
    } catch {
        signal?.throwIfAborted();
        throw new Unreachable("the server does not answer");
    } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
    }
}

function bodyOf({status, text}) {
    let body;
    try {
        body = parse(text);
    } catch {
        throw new Refusal(status, `the answer is not JSON (status ${status})`);
    }
    if (status < 200 || status > 299) {
        throw new Refusal(status, body?.message ?? `status ${status}`);
    }
    return body;
}

/* Asks once for all the calls that wait for it. False where no key was given. */
async function askForKey(wrong) {
    asking ??= ask(wrong).finally(() => {
        asking = null;
    });
    const given = await asking;
    declined = given === null;
    key = given ?? "";
    return given !== null;
}

/* What to tell of a call that failed. Throws what is a fault of the page's own. */
export function sentenceOf(caught) {
    if (caught instanceof Refusal || caught instanceof KeyWanted || caught instanceof Unreachable) {
        return caught.message;
    }
    throw caught;
}

/*
 * The answer's body. Throws Unreachable, KeyWanted, Refusal, or the reason of `signal`. `timeout` is in milliseconds;
 * `byUser`: somebody waits for it, so that the key is asked for even if it was declined before.
 */
export async function call(path, {byUser = false, ...options} = {}) {
    for (;;) {
        const sent = key;
        const answer = await send(path, options);
        if (answer.status !== 401) {
            return bodyOf(answer);
        }
        if (key !== sent) {
            continue;
        }
        if ((declined && !byUser) || !await askForKey(sent !== "")) {
            throw new KeyWanted("an API key is needed");
        }
    }
}

/* "path?a=1", without what is undefined. */
export function target(path, query) {
    return `${path}?${new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined))}`;
}
