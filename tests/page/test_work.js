/* What people do with the page: query, flush, compact, collect, cancel; and what it shows of the server's work. */
"use strict";

const assert = require("node:assert/strict");
const net = require("node:net");
const {after, test} = require("node:test");
const {closeBrowser, visiting} = require("./harness.js");

after(closeBrowser);

const series = (key, count) => Array.from({length: count}, (_, i) => ({key, ts: 1000 + i, value: `v${i}`}));

async function run(visit, fields) {
    for (const [name, value] of Object.entries(fields)) {
        await visit.page.fill(`[name=${name}]`, value);
    }
    await visit.page.click("#query-run");
}

const cells = (page, selector) => page.locator(`#rows ${selector}`).allTextContents();

test("hostile keys and values are text", async (t) => {
    const {server, visit, page} = await visiting(t);
    const hostile = ["<img src=x onerror=alert(1)>", "<script>alert(2)</script>", "<b>&amp;</b>\u0000\r\n\t",
                     "\u202eevil\u202c", "javascript:alert(3)", "\"'><svg onload=alert(4)>"];
    const images = await page.locator("img").count();
    await server.write([...hostile.map((text, i) => ({key: text, ts: i, value: text})),
                        {key: "~bytes", ts: 1, value_base64: "gP8="}, {key_base64: "/v8=", ts: 1, value: ""}]);
    await run(visit, {});
    await visit.sees("#query-said", /^8 records /);
    const shown = [...hostile];
    shown[2] = "<b>&amp;</b>\\u0000\\r\\n\\t";
    shown[3] = "\\u202eevil\\u202c";
    assert.deepEqual((await cells(page, ".key")).sort(), [...shown, "~bytes", "base64 /v8="].sort());
    assert.deepEqual((await cells(page, ".content")).sort(), [...shown, "base64 gP8=", "empty"].sort());
    assert.equal(await page.locator("img").count(), images);
    assert.equal(await page.locator("#rows script, #rows svg, #rows b").count(), 0);
    await page.click("[data-path='admin/flush']");
    await page.locator("#tables-each summary").click();
    await page.locator("#tables-rows .key").first().waitFor();
    assert.equal((await page.locator("#tables-rows .key").allTextContents())[0], "\"'><svg onload=alert(4)>");
    await run(visit, {prefix: "<img"});
    await visit.sees("#query-said", /^1 record /);
});

test("pages follow one another by cursor, back and forth", async (t) => {
    const {server, visit, page} = await visiting(t);
    await server.write([...series("a", 250), ...series("b", 3)]);
    await run(visit, {prefix: "a"});
    await visit.sees("#query-said", /^page 1, 100 records in .*; there are more$/);
    await page.click("#query-next");
    await visit.sees("#query-said", /^page 2, 100 records in .*; there are more$/);
    assert.equal((await cells(page, ".content"))[0], "v100");
    await page.click("#query-next");
    await visit.sees("#query-said", /^page 3, 50 records in [^;]*$/);
    assert.equal(await page.isDisabled("#query-next"), true);
    await page.click("#query-back");
    await visit.sees("#query-said", /^page 2/);
    assert.equal((await cells(page, ".content"))[0], "v100");
    await page.selectOption("[name=order]", "desc");
    await page.selectOption("[name=limit]", "20");
    await run(visit, {});
    await visit.sees("#query-said", /^page 1, 20 records/);
    assert.equal((await cells(page, ".content"))[0], "v249");
});

test("ranges of keys and of times, and the latest", async (t) => {
    const {server, visit, page} = await visiting(t);
    await server.write([...series("a", 5), ...series("b", 5), ...series("c", 5)]);
    await page.selectOption("[name=by]", "range");
    await run(visit, {key_start: "a", key_end: "b", ts_start: "1970-01-01 01:00:00.001003", ts_end: "1004"});
    await visit.sees("#query-said", /^4 records /);
    assert.deepEqual(await cells(page, ".key"), ["a", "a", "b", "b"]);
    assert.deepEqual(await cells(page, ".time"), ["1003", "1004", "1003", "1004"].map(
        (us) => `1970-01-01 01:00:00.00${us}${us}`));
    await page.check("[name=latest]");
    await run(visit, {prefix: "", ts_end: ""});
    await visit.sees("#query-said", /^3 records /);
    assert.deepEqual(await cells(page, ".content"), ["v4", "v4", "v4"]);
});

test("times and values at their ends are shown to the last digit", async (t) => {
    const {server, visit, page} = await visiting(t);
    const body = `{"records":[{"key":"a","ts":9007199254740993,"value":"${"x".repeat(1000)}"},` +
        `{"key":"b","ts":-9223372036854775808,"value":"12345678901234567890"},` +
        `{"key":"c","ts":9223372036854775806,"value":"","expire_at":9223372036854775806}]}`;
    assert.equal((await fetch(`${server.url}/write`, {method: "POST", body})).status, 200);
    await run(visit, {});
    await visit.sees("#query-said", /^3 records /);
    const raw = await page.locator("#rows td:nth-child(2) .raw").allTextContents();
    assert.deepEqual(raw, ["9007199254740993", "-9223372036854775808", "9223372036854775806"]);
    assert.equal((await cells(page, ".content"))[1], "12345678901234567890");
    assert.deepEqual(await page.locator("#rows td:nth-child(4)").allTextContents(),
                     ["never", "never", "beyond the calendar9223372036854775806"]);
    assert.equal((await cells(page, ".content"))[0].length, 240 + "…".length + " all 1\u202f000 bytes".length);
    await page.getByRole("button", {name: "all 1\u202f000 bytes"}).click();
    assert.equal((await cells(page, ".content"))[0].trim(), "x".repeat(1000));
});

test("what is refused is said in the server's words, what is not understood at its field", async (t) => {
    const {server, visit, page} = await visiting(t);
    const target = `/query?prefix=${"k".repeat(5000)}`;
    const {message} = await (await fetch(server.url + target)).json();
    await run(visit, {prefix: "k".repeat(5000)});
    await visit.sees("#query-said.wrong", message);
    const asked = visit.requests.length;
    await run(visit, {prefix: "", ts_start: "soon"});
    await visit.sees("#ts_start-said.wrong", "no time that is understood");
    assert.equal(await page.evaluate(() => document.activeElement.name), "ts_start");
    assert.deepEqual(visit.requests.slice(asked).filter((each) => each.url().includes("/query")), []);
    await run(visit, {ts_start: "2014-07-01 8:00"});
    await visit.sees("#query-said", /^no records in/);
    await visit.sees("#ts_start-said", "2014-07-01 08:00:00");
});

test("a query that takes long can be stopped", async (t) => {
    const {visit, page} = await visiting(t);
    await page.route("**/query?**", () => {});
    await run(visit, {});
    await visit.sees("#query-said", "asking…");
    assert.equal(await page.isDisabled("#query-run"), true);
    await page.click("#query-stop");
    await visit.sees("#query-said", "stopped");
    await page.unroute("**/query?**");
    await run(visit, {});
    await visit.sees("#query-said", /^no records in/);
});

test("flush, compact and collect say what happened, and wait for one another to end", async (t) => {
    const {server, visit, page} = await visiting(t);
    await server.write(series("a", 100));
    let release;
    const held = new Promise((resolve) => {
        release = resolve;
    });
    await page.route("**/admin/flush", async (route) => {
        await held;
        await route.continue();
    });
    const button = "[data-path='admin/flush']";
    await page.click(button);
    await visit.sees(`${button} + p`, /^running/);
    assert.equal(await page.isDisabled(button), true);
    release();
    await visit.sees("#maintain-log li", /^\d\d:\d\d:\d\d Flush: flush completed \([\d.]+\u202f(µs|ms|s)\)$/);
    assert.equal(await page.isDisabled(button), false);
    await visit.sees(`${button} + p`, "Writes the memtables to tables.");
    await page.click("[data-path='admin/compact']");
    await visit.sees("#maintain-log li", /Compact: compaction: ran=false/);
    await page.click("[data-path='admin/gc']");
    await visit.sees("#maintain-log li", /Collect: gc completed, purged 0/);
    await visit.sees("#events-rows", /flush.*100 entries in memory became 100 records/);
    await visit.sees("#tables-said", /^1 table, 100 records, /);
    await visit.sees("#windows-rows th", /\d{4}-\d\d-\d\d \d\d:\d\d – \d{4}-\d\d-\d\d \d\d:\d\d/);
    await page.route("**/admin/gc", (route) => route.fulfill({status: 500, json: {ok: false, message: "the <i>disk</i>"}}));
    await page.click("[data-path='admin/gc']");
    await visit.sees("#maintain-log li.wrong", /Collect: the <i>disk<\/i>/);
});

test("a read that goes on is listed and can be cancelled", async (t) => {
    const {server, visit, page} = await visiting(t);
    const value = "v".repeat(400);
    await server.write(Array.from({length: 60000}, (_, i) => ({key: "big", ts: i, value})));
    await visit.sees("#running-count", "None is running.");
    /* A client that asks and does not read. */
    const [host, port] = server.address.split(":");
    const socket = net.connect(Number(port), host);
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET /query?prefix=big HTTP/1.1\r\nHost: x\r\n\r\n");
    await visit.sees("#running-rows .key", "/query prefix=\"big\"");
    await page.click("#running-rows button");
    await visit.sees("#reads-said", /^query \d+ is being cancelled$/);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    await closed;
    await page.locator("#running-rows tr").waitFor({state: "detached"});
    await visit.sees("#running-count", "None is running.");
});

test("ingest, refusals and settings are shown", async (t) => {
    const {server, visit, page} = await visiting(t, {server: ["--wal-sync", "always"]});
    await server.write(series("a", 100));
    const refused = await fetch(`${server.url}/write`, {method: "POST", body: "{\"records\":[{\"ts\":1}]}"});
    assert.equal(refused.status, 400);
    const {message} = await refused.json();
    await visit.sees("#rejections-rows .prose", message);
    await visit.sees("#protocols-rows", /HTTP, JSON[^H]*100/);
    await page.locator("#settings summary").click();
    await page.locator("#settings-rows tr").getByText(/^always$/).waitFor();
    await visit.sees("#settings-said", /^\d+ settings, \d+ of them not left at the default$/);
});

test("series are listed with what they hold, and lead to their records", async (t) => {
    const {server, visit, page} = await visiting(t);
    const hostile = "<img src=x onerror=alert(1)>";
    await server.write([...series(hostile, 3), ...Array.from({length: 150}, (_, i) => ({key: `s${i}`, ts: i, value: "v"})),
                        {key_base64: "/v8=", ts: 1, value: "v"}]);
    await page.fill("#series-prefix", "s");
    await page.click("#series-list");
    await visit.sees("#series-said", /^100 series in .*; there are more$/);
    await page.click("#series-more");
    await visit.sees("#series-said", /^150 series in [^;]*$/);
    assert.equal(await page.locator("#series-rows tr").count(), 150);
    await page.fill("#series-prefix", "<");
    await page.click("#series-list");
    await visit.sees("#series-said", /^1 series/);
    const found = await page.locator("#series-rows tr").first().locator("th, td").allTextContents();
    assert.deepEqual(found.slice(0, 3), [hostile, "3", "90\u202fB"]);
    await page.click("#series-rows button");
    await visit.sees("#query-said", /^3 records /);
    assert.deepEqual(await cells(page, ".key"), [hostile, hostile, hostile]);
    await page.fill("#series-prefix", "");
    await page.click("#series-list");
    await visit.sees("#series-said", /; there are more$/);
});
