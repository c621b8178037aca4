// Looks at the pages of a server with a real browser: node pages.mjs URL SCREENSHOTS REPORT.html...
// The store behind it is the one that the test `pages::` leaves: apps `hostile`, `large` and `many`.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [, , base, shots, ...files] = process.argv;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const failures = [];
const check = (holds, what) => {
  if (!holds) failures.push(what);
};
mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

// A page whose every request, message and dialogue is heard.
const open = async (options) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  // in CI it runs beside the tests, with the processor time that they leave; how fast a page is, is measured below
  page.setDefaultTimeout(180_000);
  page.on("dialog", async (dialog) => {
    failures.push(`${page.url()}: a script ran: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("pageerror", (error) => failures.push(`${page.url()}: ${error}`));
  page.on("console", (message) => {
    const expected = message.text().includes("status of 404"); // the page that says so is one of those looked at
    if (message.type() === "error" && !expected) failures.push(`${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    const ours = url.startsWith(base) || url.startsWith("data:image/svg+xml") || url.startsWith("file:///");
    check(ours, `${page.url()} asks for ${url}`);
  });
  return page;
};

const inert = async (page, what) => {
  const found = await page.evaluate(() => ({
    evil: document.querySelectorAll("x-evil, script, iframe, [onload], [onerror], [style]").length,
    sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    title: document.title,
    heading: document.querySelectorAll("h1").length,
  }));
  check(found.evil === 0, `${what}: ${found.evil} elements that no page has`);
  check(found.sideways <= 0, `${what}: wider than its window by ${found.sideways} px`);
  check(found.heading === 1 && found.title.endsWith(" · Taster"), `${what}: title "${found.title}", ${found.heading} h1`);
};

// axe-core is put into a page for once, past the policy that keeps scripts out
const accessible = async (url, what, options) => {
  const page = await open({ ...options, bypassCSP: true, javaScriptEnabled: true });
  await page.goto(url);
  // whatever is folded away is to be looked at as well
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const violation of violations) {
    const nodes = violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`);
    failures.push(`${what}: axe ${violation.id} (${violation.impact}): ${violation.help}\n    ${nodes.join("\n    ")}`);
  }
  await page.context().close();
  return passes.length;
};

// as many as the test has made
const count = Number(process.env.TASTER_TEST_RUNS ?? 300);
const runAt = (number) => 1764000000 + 900 * number;
const lossy = process.env.LOSSY ?? "/apps/large/runs/r1";
const views = {
  apps: "/apps",
  runs: "/apps/many",
  chosen: `/apps/many?after=${runAt(Math.floor(count * 0.75))}&metric=orders%2Fnothing`,
  run: lossy,
  same: `/apps/many/runs/${runAt(0)}`,
  large: "/apps/large/runs/r1",
  hostile: "/apps/hostile/runs/r1",
  missing: "/apps/many/runs/none",
};
const looks = [
  ["desk-light", { viewport: { width: 1280, height: 900 }, colorScheme: "light" }],
  ["desk-dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" }],
  ["phone-light", { viewport: { width: 375, height: 812 }, colorScheme: "light", isMobile: true, deviceScaleFactor: 2 }],
  ["phone-dark", { viewport: { width: 375, height: 812 }, colorScheme: "dark", isMobile: true, deviceScaleFactor: 2 }],
];
const missing = new Set(["missing"]);

let rules = 0;
let pictures = 0;
for (const [look, options] of looks) {
  const page = await open({ ...options, javaScriptEnabled: true });
  for (const [name, path] of Object.entries(views)) {
    const response = await page.goto(base + path);
    check(response.status() === (missing.has(name) ? 404 : 200), `${path}: status ${response.status()}`);
    await inert(page, `${name} ${look}`);
    await page.screenshot({ path: `${shots}/${name}-${look}.png`, fullPage: name !== "large" && name !== "runs" });
    pictures += 1;
    rules += await accessible(base + path, `${name} ${look}`, options);
  }
  await page.context().close();
}
console.log(`${pictures} screenshots in ${shots}; axe-core: ${rules} rules passed over all of them`);

// every link, by the browser's own idea of what a link is; without scripts, as the pages are meant to work
{
  const page = await open({ javaScriptEnabled: false });
  const seen = new Set();
  const next = [`${base}/apps`];
  while (next.length > 0) {
    const url = next.pop();
    if (seen.has(url) || seen.size >= 400) continue;
    seen.add(url);
    if (/\.(md|xml|json)$/.test(url)) {
      const response = await page.request.get(url);
      check(response.status() === 200, `${url}: status ${response.status()}`);
      continue;
    }
    const response = await page.goto(url);
    check(response.status() === 200, `${url}: status ${response.status()}`);
    const hrefs = await page.locator("a[href]").evaluateAll((links) => links.map((link) => link.href));
    for (const href of hrefs) {
      const target = new URL(href);
      if (target.hash && target.href.split("#")[0] === url.split("#")[0]) {
        const id = decodeURIComponent(target.hash.slice(1));
        check((await page.locator(`[id="${id}"]`).count()) === 1, `${url}: nothing is at ${target.hash}`);
      } else {
        check(target.origin === base, `${url} leads to ${href}`);
        next.push(target.href.split("#")[0]);
      }
    }
  }
  console.log(`${seen.size} links followed without JavaScript`);
  await page.context().close();
}

// with the keyboard: the first thing reached skips the head, and a form works
{
  const page = await open({});
  await page.goto(`${base}/apps/many`);
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.getAttribute("href"));
  check(first === "#main", `the first thing that the keyboard reaches is ${first}`);
  await page.keyboard.press("Enter");
  await page.locator("details.choose > summary").focus();
  await page.keyboard.press("Enter");
  const boxes = page.locator('details.choose input[type="checkbox"]');
  const wanted = await boxes.evaluateAll((all) => all.filter((box) => !box.checked).map((box) => box.value)[0]);
  for (const box of await boxes.all()) await box.setChecked((await box.inputValue()) === wanted);
  await page.locator("details.choose button").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/metric=/);
  const drawn = await page.locator("figcaption").allTextContents();
  const told = drawn.map((text) => text.trim().replace(/\s+/, "/"));
  check(told.length === 1 && told[0] === wanted, `chosen was ${wanted}, drawn is ${told}`);
  console.log(`metric chosen with the keyboard: ${told}`);
  await page.context().close();
}

// how long until everything is there, laid out and painted
const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
const timed = async (path) => {
  const page = await open({ viewport: { width: 1280, height: 900 } });
  const server = [];
  const painted = [];
  for (let round = 0; round < 6; round += 1) {
    await page.goto(base + path, { waitUntil: "load" });
    const times = await page.evaluate(
      () =>
        new Promise((done) => {
          requestAnimationFrame(() =>
            setTimeout(() => {
              const [entry] = performance.getEntriesByType("navigation");
              done({ server: entry.responseEnd - entry.requestStart, painted: performance.now() });
            }),
          );
        }),
    );
    if (round > 0) {
      server.push(times.server);
      painted.push(times.painted);
    }
  }
  await page.context().close();
  return { server: median(server), painted: median(painted) };
};
const goal = (what, ms, most) =>
  console.log(`${what}: ${ms.toFixed(0)} ms; goal under ${most} ms, ${ms < most ? "met" : "MISSED"}`);
const large = await timed("/apps/large/runs/r1");
goal("a difference of 1 000 documents, from the click until it is painted", large.painted, 1000);
const runs = await timed("/apps/many");
goal(`the page of an app with ${count} runs, from a file store until its last byte`, runs.server, 200);

// the stored report opens from disk
for (const file of files) {
  const page = await open({ viewport: { width: 1280, height: 900 } });
  await page.goto(pathToFileURL(file).href);
  await inert(page, file);
  const background = await page.evaluate(() => getComputedStyle(document.querySelector(".banner")).borderRadius);
  check(background === "12px", `${file}: without its style`);
  await page.context().close();
}
console.log(`${files.length} reports opened from disk`);

await browser.close();
if (failures.length > 0) {
  console.error(failures.slice(0, 40).join("\n"));
  console.error(`${failures.length} things are wrong`);
  process.exit(1);
}
