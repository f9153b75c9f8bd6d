// Looks at a report with a real browser: screenshots at phone and desktop width, light and dark, and axe-core's verdict.
//   npx tsx tools/check-report.ts report.html [folder for the screenshots]
// Needs a Chromium: CHROMIUM names it, default /usr/bin/chromium. Exit status 1 when axe finds anything or the page is too wide.
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import type { Page } from "playwright-core";

interface Violation {
  id: string;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

const [file, folder] = process.argv.slice(2);
if (!file) {
  console.error("usage: npx tsx tools/check-report.ts report.html [folder for the screenshots]");
  process.exit(2);
}
const report = resolve(file);
const target = resolve(folder ?? dirname(report));
mkdirSync(target, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
  ],
});
let problems = 0;
try {
  for (const width of [390, 1280])
    for (const colorScheme of ["light", "dark"] as const) {
      // The report's own policy forbids scripts; axe is one.
      const context = await browser.newContext({
        viewport: { width, height: 844 },
        colorScheme,
        bypassCSP: true,
        deviceScaleFactor: width < 500 ? 2 : 1,
      });
      const page = await context.newPage();
      const requests: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith("data:")) requests.push(request.url());
      });
      await page.goto(pathToFileURL(report).href);
      const shot = join(target, `${basename(report, ".html")}-${width}-${colorScheme}.png`);
      await page.screenshot({ path: shot, fullPage: true });
      problems += await judge(page, `${width} px, ${colorScheme}`);
      if (requests.length > 1) {
        problems += requests.length - 1;
        console.error(`loads from elsewhere: ${requests.slice(1).join(", ")}`);
      }
      console.log(`${shot}`);
      await context.close();
    }
} finally {
  await browser.close();
}
console.log(problems === 0 ? "no problem found" : `${problems} problems found`);
process.exitCode = problems === 0 ? 0 : 1;

async function judge(page: Page, name: string): Promise<number> {
  // What is folded away must pass too.
  await page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))");
  await page.evaluate(axe);
  const violations = await page.evaluate<Violation[]>("axe.run().then((result) => result.violations)");
  for (const { id, help, nodes } of violations) {
    console.error(`${name}: ${id}: ${help} (${nodes.length} places)`);
    for (const node of nodes.slice(0, 3))
      console.error(`  ${node.html.slice(0, 200)}\n  ${node.failureSummary ?? ""}`);
  }
  const overflow = await page.evaluate<number>(
    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
  );
  if (overflow > 0) console.error(`${name}: the page is ${overflow} px wider than the window`);
  return violations.length + (overflow > 0 ? 1 : 0);
}
