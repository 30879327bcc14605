/* The API key: asked for when a call wants it, kept in memory alone. */
"use strict";

const assert = require("node:assert/strict");
const {after, test} = require("node:test");
const {closeBrowser, visiting} = require("./harness.js");

const KEY = "correct/horse+&%";
const READING_KEY = "only-looking";
const HEADERS = {"X-API-Key": KEY};
const KEYED = {server: ["--api-key", KEY]};

after(closeBrowser);

async function enter(visit, key) {
    await visit.page.locator("#key-dialog").waitFor();
    await visit.page.fill("#key", key);
    await visit.page.keyboard.press("Enter");
}

test("it is asked for once, and again where it is wrong", async (t) => {
    const {visit, page} = await visiting(t, KEYED);
    await enter(visit, "wröng");
    await visit.sees("#key-problem", "The server did not take this key.");
    assert.equal(await page.inputValue("#key"), "");
    await enter(visit, KEY);
    await visit.sees("#uptime", /^up/);
    await page.locator("#settings").waitFor();
    assert.equal(await page.locator("#key-dialog").isVisible(), false);
    await visit.sees("#key-button", "Forget key");
});

test("it is nowhere but in memory, and in no address", async (t) => {
    const {visit, page} = await visiting(t, KEYED);
    await enter(visit, KEY);
    await visit.sees("#uptime", /^up/);
    await page.click("#query-run");
    await visit.sees("#query-said", /^no records/);
    const kept = await page.evaluate(async () => [
        JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href,
        JSON.stringify(history.state), document.documentElement.outerHTML, ...(await caches.keys()),
        ...(await indexedDB.databases()).map((each) => each.name)].join("\n"));
    assert.ok(!kept.includes(KEY) && !kept.includes(encodeURIComponent(KEY)));
    assert.equal(await page.inputValue("#key"), "");
    for (const request of visit.requests) {
        assert.ok(!decodeURIComponent(request.url()).includes(KEY));
    }
    assert.deepEqual(await visit.context.cookies(), []);
    await page.reload();
    await page.locator("#key-dialog").waitFor();
    await visit.sees("#figures-problem", "");
});

test("who has none is asked again only when they do something", async (t) => {
    const {visit, page} = await visiting(t, {...KEYED, opened: false});
    await page.clock.install();
    await visit.open();
    await page.locator("#key-dialog").waitFor();
    await page.keyboard.press("Escape");
    await visit.sees("#figures-problem", "an API key is needed");
    await visit.sees("#state", "ready");
    await page.clock.runFor(20000);
    assert.equal(await page.locator("#key-dialog").isVisible(), false);
    await page.click("#query-run");
    await page.locator("#key-dialog").waitFor();
    await page.click("#key-later");
    await visit.sees("#query-said", "an API key is needed");
    await page.click("#key-button");
    await enter(visit, KEY);
    await page.clock.runFor(3000);
    await visit.sees("#uptime", /^up/);
});

test("it can be forgotten", async (t) => {
    const {visit, page} = await visiting(t, KEYED);
    await enter(visit, KEY);
    await visit.sees("#uptime", /^up/);
    await page.click("#key-button");
    await visit.sees("#key-button", "Enter key");
    await visit.sees("#figures-problem", "an API key is needed");
    await page.click("[data-path='admin/gc']");
    await page.locator("#key-dialog").waitFor();
});

test("one that may only read is told what it may not", async (t) => {
    const {server, visit, page} = await visiting(t, {
        config: `api_keys = ["${KEY}"]\nread_api_keys = ["${READING_KEY}"]\n`,
    });
    await server.write([{key: "a", ts: 1, value: "v"}], HEADERS);
    await enter(visit, READING_KEY);
    await page.click("#query-run");
    await visit.sees("#query-said", /^1 record /);
    await page.click("[data-path='admin/flush']");
    await visit.sees("#maintain-log .wrong", /Flush: this key may only read/);
});
