// The process in which inputs are tried: `worker.ts KIND SEED FIRST COUNT FOLDER`. It tells its parent how far it is and what it
// found; the input at hand lies in FOLDER, so that it is still there when this process is not.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bug, NUMBER_FILE, type Progress } from "./progress.ts";
import { tryInput } from "./try-input.ts";

const MAX_BUGS = 12;
const REPORT_EVERY_MS = 500;
/** Inputs after which memory counts: the first ones load code. */
const WARM_UP = 50;

const [kind = "", seed = "", first = "", count = "", folder = ""] = process.argv.slice(2);

const outcomes: Record<string, number> = {};
const bugs: Bug[] = [];
const peak = () => process.resourceUsage().maxRSS * 1024;
let base = peak();
let tried = 0;

const report = (): Promise<void> =>
  new Promise((resolve) => {
    const progress: Progress = { tried, outcomes, bugs, growth: Math.max(0, peak() - base) };
    process.send!(progress, () => resolve());
  });

await report();
let reported = Date.now();
for (const end = Number(count); tried < end;) {
  const number = Number(first) + tried;
  writeFileSync(join(folder, NUMBER_FILE), String(number));
  const { name, bug } = tryInput(kind, folder, { seed: Number(seed), number });
  outcomes[name] = (outcomes[name] ?? 0) + 1;
  if (bug !== undefined && bugs.length < MAX_BUGS && !bugs.some(({ what }) => what === bug))
    bugs.push({ number, what: bug });
  tried++;
  if (tried === WARM_UP) base = peak();
  if (Date.now() - reported < REPORT_EVERY_MS && tried < end) continue;
  await report();
  reported = Date.now();
}
process.disconnect();
