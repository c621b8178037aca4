// Makes the pictures of README: node pictures.mjs REPORT.html TERMINAL.ansi FOLDER
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [, , report, terminal, folder] = process.argv;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const open = async (width, height) =>
  (await browser.newContext({ viewport: { width, height }, deviceScaleFactor: 1.5, colorScheme: "light" })).newPage();

const page = await open(1000, 900);
await page.goto(pathToFileURL(report).href);
await page.screenshot({ path: `${folder}/report.png` });

// what `script` recorded of a terminal: colours, and nothing that moves the cursor
const colours = { 1: "bold", 2: "dim", 31: "red", 32: "green", 33: "yellow", 36: "cyan" };
const escape = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
let on = [];
const all = readFileSync(terminal, "utf8").replace(/\r/g, "").trimEnd().split("\n");
// of a long list the beginning will do
const ids = all.filter((line) => line.includes('{"$oid":'));
const folded = new Map(ids.slice(4).map((line, at) => [line, at === 0 ? `      … ${ids.length - 4} more lines` : undefined]));
const lines = all.map((line) => (folded.has(line) ? folded.get(line) : line)).filter((line) => line !== undefined);
const html = lines.join("\n").split(/(\x1b\[[0-9;]*m)/).map((part) => {
  const codes = part.match(/^\x1b\[([0-9;]*)m$/);
  if (!codes) return on.length ? `<span class="${on.join(" ")}">${escape(part)}</span>` : escape(part);
  for (const code of codes[1].split(";").map(Number)) {
    if (code === 0) on = [];
    else if (colours[code]) on = [...on, colours[code]];
  }
  return "";
});
const shell = await open(1000, 600);
await shell.setContent(`<style>
  body { margin: 0; background: #16181d; color: #d6d9df; font: 14px/1.4 "DejaVu Sans Mono", monospace }
  pre { margin: 0; padding: 18px 22px; display: inline-block; font: inherit }
  .bold { font-weight: bold } .dim { opacity: .65 } .red { color: #ff6b6b } .green { color: #63d471 }
  .yellow { color: #f5c451 } .cyan { color: #5cc8e8 }
</style><pre>${html.join("")}</pre>`);
await shell.locator("pre").screenshot({ path: `${folder}/verdict.png` });
await browser.close();
