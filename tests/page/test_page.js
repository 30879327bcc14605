/* The page itself: its policy, its state, its figures, its form on a phone and for a keyboard. */
"use strict";

const assert = require("node:assert/strict");
const {after, test} = require("node:test");
const {closeBrowser, visiting} = require("./harness.js");

after(closeBrowser);

const records = (count) => Array.from({length: count}, (_, i) => ({key: "a", ts: i, value: "v"}));

test("nothing inline and nothing from elsewhere is run or loaded", async (t) => {
    const {visit, page} = await visiting(t);
    await visit.sees("#state", "ready");
    await page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        const button = document.createElement("button");
        button.setAttribute("onclick", "window.ran = true");
        document.body.append(button);
        button.click();
        const style = document.createElement("style");
        style.textContent = "body { display: none }";
        document.body.append(style);
    });
    await page.waitForFunction(() => window.violations.length >= 3);
    assert.equal(await page.evaluate(() => window.ran), undefined);
    const refused = await page.evaluate(() => window.violations.splice(0).map((each) => each.split(":")[0]).sort());
    assert.deepEqual(refused, ["script-src-attr", "script-src-elem", "style-src-elem"]);
    assert.ok(visit.faults.splice(0).every((fault) => fault.includes("Content Security Policy")));
});

test("figures move with what is written and read", async (t) => {
    const {server, visit, page} = await visiting(t);
    const tile = (name) => `.tile[data-name="${name}"]`;
    await visit.sees("#uptime", /^up \d\d:\d\d:\d\d$/);
    await page.locator(`${tile("Written")} .note`).getByText(/^0 since start/).waitFor();
    await server.write(records(4000));
    await server.request("GET", "/query?limit=1500");
    await page.locator(`${tile("Written")} .note`).getByText(/^4\u202fk since start/).waitFor();
    await page.locator(`${tile("Read")} .note`).getByText(/^1\.5\u202fk since start/).waitFor();
    await page.locator(`${tile("Written")} .peak`).getByText(/^max [1-9]/).waitFor();
    const line = await page.locator(`${tile("Written")} .line`).getAttribute("d");
    assert.match(line, /^M[\d.]+ [\d.]+L[\d.]+ [\d.]+/);
    assert.match(await page.locator(`${tile("Memory")} .unit`).textContent(), /^[KM]iB$/);
});

test("a server that goes away and comes back is shown", async (t) => {
    const {server, visit, page} = await visiting(t);
    await visit.sees("#state", "ready");
    await server.kill();
    await visit.sees("#state", "no answer");
    await visit.sees("#problem", /^The server has not answered since \d\d:\d\d:\d\d\./);
    assert.match(await page.title(), /^no answer/);
    await server.start();
    await visit.sees("#state", "ready");
    await page.locator("#problem").waitFor({state: "hidden"});
    await page.locator("#tiles:not(.stale)").waitFor();
    assert.equal(await page.title(), "FlowDB");
});

test("a server that is not ready says why, and one that is degraded is no alarm", async (t) => {
    const {visit, page} = await visiting(t, {opened: false});
    let answer = {status: 503, json: {ok: false, message: "the disk is <b>full</b>"}};
    await page.route("**/ready", (route) => route.fulfill(answer));
    await visit.open();
    await visit.sees("#state", "not ready");
    await visit.sees("#problem", "the disk is <b>full</b>");
    answer = {status: 200, json: {status: "ready", health: "degraded"}};
    await visit.sees("#state", "degraded");
    await page.locator("#problem").waitFor({state: "hidden"});
    answer = {status: 200, json: {status: "ready", health: "good"}};
    await visit.sees("#state", "ready");
});

test("nothing is asked while nobody looks", async (t) => {
    const {visit, page} = await visiting(t, {opened: false});
    await page.clock.install();
    await visit.open();
    await visit.sees("#uptime", /^up/);
    const look = (hidden) => page.evaluate((value) => {
        Object.defineProperty(document, "hidden", {value, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await look(true);
    await page.waitForLoadState("networkidle");
    const before = visit.requests.length;
    await page.clock.runFor(60000);
    assert.equal(visit.requests.length, before);
    const asked = page.waitForRequest("**/stats");
    await look(false);
    await asked;
    const again = page.waitForRequest("**/stats");
    await page.clock.runFor(2500);
    await again;
});

test("a section that the server knows nothing of is not there, and is asked for no more", async (t) => {
    const {visit, page} = await visiting(t, {opened: false});
    await page.clock.install();
    await page.route("**/admin/events", (route) => route.fulfill({status: 404, json: {ok: false, message: "no"}}));
    await visit.open();
    await page.locator("#tables").waitFor();
    /* One step at a time: what is on its way must not seem to take for ever. */
    for (let i = 0; i < 8; i++) {
        const answered = page.waitForResponse("**/stats");
        await page.clock.runFor(2000);
        await answered;
    }
    assert.equal(await page.locator("#events").isVisible(), false);
    assert.equal(visit.requests.filter((request) => request.url().endsWith("/admin/events")).length, 1);
});

for (const [name, width, height] of [["a phone", 390, 844], ["a small one", 320, 640], ["a desk", 1280, 900]]) {
    test(`on ${name} the page is as wide as the screen`, async (t) => {
        const {server, visit, page} = await visiting(t, {context: {viewport: {width, height}}});
        await server.write([{key: "k".repeat(300), ts: 1, value: "v".repeat(2000)}]);
        await page.click("#query-run");
        await visit.sees("#query-said", /^1 record /);
        await page.click("[data-path='admin/flush']");
        await visit.sees("#maintain-log", /flush completed/);
        await page.locator("#events-rows tr").first().waitFor();
        const widths = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
        assert.equal(widths[0], widths[1]);
    });
}

test("a keyboard reaches everything, and everything has a name", async (t) => {
    const {visit, page} = await visiting(t);
    await visit.sees("#state", "ready");
    await page.locator("#settings").waitFor();
    const wanted = await page.locator("input:visible:enabled, select:visible:enabled, button:visible:enabled, " +
                                      "summary:visible, [tabindex='0']:visible").count();
    const reached = [];
    for (let i = 0; i < wanted + 1; i++) {
        await page.keyboard.press("Tab");
        reached.push(await page.evaluate(() => {
            const at = document.activeElement;
            const outline = getComputedStyle(at).outlineStyle;
            return {name: at.ariaLabel || at.labels?.[0]?.textContent.trim() || at.textContent.trim(), outline};
        }));
    }
    assert.equal(reached[0].name, "Skip to the figures");
    assert.equal(new Set(reached.map((each) => each.name)).size, wanted + 1);
    assert.deepEqual(reached.filter((each) => each.name === "" || each.outline === "none"), []);
    const unnamed = await page.evaluate(() => [...document.querySelectorAll("section, [role=region]")].filter(
        (each) => !each.ariaLabel && !document.getElementById(each.getAttribute("aria-labelledby"))?.textContent).length);
    assert.equal(unnamed, 0);
});

test("numbers, sizes and times read as people write them", async (t) => {
    const {page} = await visiting(t);
    const got = await page.evaluate(async () => {
        const format = await import("/admin/page/format.js");
        return {
            counts: [0, 7, 0.25, 99.96, 999, 999.6, 1000, 12345, 999950, 1e6].map(format.count),
            bytes: [0, 1023, 1024, 1536, 1048576, 5e12].map(format.bytes),
            spans: [0, 4e-6, 0.0123, 1.5, 90, 3600, 100000, 1e6].map(format.span),
            clocks: [0, 59.9, 3661, 90061].map(format.clock),
            times: ["1404194400000000", "1404194400250000", "-1", "1404194400000001"].map(
                (us) => format.localTime(BigInt(us))),
            beyond: format.localTime(9223372036854775807n),
        };
    });
    const narrow = (texts) => texts.map((text) => text.replaceAll("\u202f", " "));
    assert.deepEqual(narrow(got.counts), ["0", "7", "0.25", "100", "999", "1 k", "1 k", "12.3 k", "1 M", "1 M"]);
    assert.deepEqual(narrow(got.bytes), ["0 B", "1023 B", "1 KiB", "1.5 KiB", "1 MiB", "4.55 TiB"]);
    assert.deepEqual(narrow(got.spans),
                     ["0 µs", "4 µs", "12.3 ms", "1.5 s", "90 s", "60 min", "27.8 h", "11.6 d"]);
    assert.deepEqual(narrow(got.clocks), ["00:00:00", "00:00:59", "01:01:01", "1 d 01:01:01"]);
    assert.deepEqual(got.times, ["2014-07-01 08:00:00", "2014-07-01 08:00:00.250", "1970-01-01 00:59:59.999999",
                                 "2014-07-01 08:00:00.000001"]);
    assert.equal(got.beyond, null);
});

test("times are understood as they are typed", async (t) => {
    const {page} = await visiting(t);
    const now = Date.UTC(2026, 2, 29, 12, 0, 0); /* the day on which Berlin's clocks go forward */
    const cases = {
        "2014-07-01 08:00": "1404194400000000", "2014-07-01T08:00:00.25": "1404194400250000",
        "2014-7-1": "1404165600000000", "2014-07-01T06:00:00Z": "1404194400000000",
        "2014-07-01 06:00:00,000001z": "1404194400000001", "2014-07-01T08:00:00+02:00": "1404194400000000",
        "2014-07-01T00:30:00-0530": "1404194400000000", " 1404194400000000 ": "1404194400000000",
        "-9223372036854775808": "-9223372036854775808", "0": "0",
        "now": String(now * 1000), "-15m": String((now - 900000) * 1000), "now - 1.5h": String((now - 5400000) * 1000),
        "+2d": String((now + 172800000) * 1000),
        "today": String(Date.UTC(2026, 2, 28, 23) * 1000), "14:30": String(Date.UTC(2026, 2, 29, 12, 30) * 1000),
        "yesterday 14:30": String(Date.UTC(2026, 2, 28, 13, 30) * 1000),
        "": null, "soon": null, "9223372036854775808": null, "2014-02-30": null, "2014-13-01": null,
        "2014-07-01 24:00": null, "25:00": null, "2014-07-01 08:00 junk": null, "<b>": null,
    };
    const got = await page.evaluate(async ([texts, at]) => {
        const {parseTime} = await import("/admin/page/format.js");
        return texts.map((text) => parseTime(text, at)?.toString() ?? null);
    }, [Object.keys(cases), now]);
    assert.deepEqual(Object.fromEntries(Object.keys(cases).map((text, i) => [text, got[i]])), cases);
});
