/* A server of the test's own and pages that look at it, all of which end with the test. */
"use strict";

const assert = require("node:assert/strict");
const {spawn} = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const {chromium} = require("playwright-core");

const DEADLINE_MS = 30000;

/* What the test's own shell set is not for the server. */
function environment() {
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith("FLOWDB_"));
    return Object.fromEntries(others);
}

class Server {
    /* `config` is the text of a configuration file. */
    constructor(folder, options, config) {
        const file = path.join(folder, "flowdb.toml");
        fs.writeFileSync(file, config);
        this.options = ["--config", file, "--data-dir", path.join(folder, "data"), "--udp-addr", "127.0.0.1:0", ...options];
        this.address = "127.0.0.1:0";
    }

    /* On the port that it had before, if it had one. */
    async start() {
        this.process = spawn(process.env.FLOWDB_SERVER_BIN, [...this.options, "--http-addr", this.address],
                             {env: environment(), stdio: ["ignore", "ignore", "pipe"]});
        this.ended = new Promise((resolve) => this.process.once("exit", resolve));
        this.address = await new Promise((resolve, reject) => {
            let log = "";
            this.process.stderr.on("data", (text) => {
                log += text;
                const found = /http_addr="([^"]+)"/.exec(log);
                if (found !== null) {
                    resolve(found[1]);
                }
            });
            this.ended.then(() => reject(new Error(`the server ended:\n${log}`)));
        });
        this.url = `http://${this.address}`;
    }

    async kill() {
        this.process.kill("SIGKILL");
        await this.ended;
    }

    async request(method, target, body, headers = {}) {
        const answer = await fetch(this.url + target, {method, headers, body: body && JSON.stringify(body)});
        const text = await answer.text();
        assert.ok(answer.ok, `${method} ${target}: ${text}`);
        return JSON.parse(text);
    }

    async write(records, headers) {
        for (let i = 0; i < records.length; i += 5000) {
            await this.request("POST", "/write", {records: records.slice(i, i + 5000)}, headers);
        }
    }
}

/* Answers of these are no fault of the page's: Chromium notes each in the console. */
const EXPECTED = /Failed to load resource: (net::ERR|the server responded with a status of (4|5)\d\d)/;

class Visit {
    constructor(context, page, url) {
        this.context = context;
        this.page = page;
        this.url = url;
        this.faults = []; /* what must not be */
        this.requests = [];
    }

    static async begin(browser, server, options) {
        const context = await browser.newContext({timezoneId: "Europe/Berlin", ...options});
        const page = await context.newPage();
        const visit = new Visit(context, page, server.url);
        page.setDefaultTimeout(DEADLINE_MS);
        page.on("console", (message) => {
            if (message.type() === "error" && !EXPECTED.test(message.text())) {
                visit.faults.push(message.text());
            }
        });
        page.on("pageerror", (error) => visit.faults.push(String(error)));
        page.on("dialog", (dialog) => {
            visit.faults.push(`a dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
        page.on("request", (request) => {
            visit.requests.push(request);
            if (!request.url().startsWith(`${visit.url}/`)) {
                visit.faults.push(`asked elsewhere: ${request.url()}`);
            }
        });
        await page.addInitScript(() => {
            window.violations = [];
            document.addEventListener("securitypolicyviolation", (event) => {
                window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
            });
        });
        return visit;
    }

    async open() {
        await this.page.goto(`${this.url}/admin`);
        return this;
    }

    /* Waits until the element's text is, or matches, what is wanted. */
    async sees(selector, wanted) {
        const source = wanted instanceof RegExp ? wanted.source : `^${wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
        try {
            await this.page.waitForFunction(([where, what]) => {
                const element = document.querySelector(where);
                return element !== null && element.checkVisibility() && new RegExp(what, "s").test(element.textContent);
            }, [selector, source]);
        } catch {
            const text = await this.page.locator(selector).first().textContent({timeout: 100}).catch(() => "nothing");
            assert.fail(`${selector} is "${text}", not ${wanted}`);
        }
    }

    text(selector) {
        return this.page.locator(selector).first().textContent();
    }

    async end() {
        const violations = this.page.isClosed() ? [] : await this.page.evaluate(() => window.violations);
        await this.context.close();
        assert.deepEqual([...this.faults, ...violations], []);
    }
}

let browser = null; /* of this file's tests */

/*
 * A server and somebody who looks at it, until the test ends. `server`: flags; `config`: a configuration file's text;
 * `context`: the browser's; without `opened` the page is not opened yet.
 */
async function visiting(t, {server: options = [], config = "", context, opened = true} = {}) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "flowdb-page-test-"));
    const server = new Server(folder, options, config);
    let visit = null;
    t.after(async () => {
        try {
            await visit?.end();
        } finally {
            await server.kill();
            fs.rmSync(folder, {recursive: true});
        }
    });
    await server.start();
    browser ??= await chromium.launch({executablePath: process.env.FLOWDB_CHROMIUM});
    visit = await Visit.begin(browser, server, context);
    if (opened) {
        await visit.open();
    }
    return {server, visit, page: visit.page};
}

async function closeBrowser() {
    await browser?.close();
}

module.exports = {visiting, closeBrowser};
