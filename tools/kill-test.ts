// Kills a training outright at random moments, checks after each what is left, and compares the end with an undisturbed run.
//   npm run kill-test -- --moments 100
// Exit status 0 when no checkpoint was unreadable, no more than the steps since it were lost and the end is the same.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Kill, killTest } from "./kill/kill-run.ts";

const { values: options } = parseArgs({
  options: { moments: { type: "string", default: "100" }, seed: { type: "string", default: "0" } },
});
const whole = (name: "moments" | "seed", least: number): number => {
  const value = Number(options[name]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} ${options[name]}: expected a whole number of at least ${least}.`);
};
const [moments, seed] = [whole("moments", 1), whole("seed", 0)];
const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "invdiff-kill-"));

const row = ({ moment, during, after, steps, checkpoint, problems }: Kill): string => {
  const cells = [
    moment,
    during,
    `${after.toFixed(0)} ms`,
    steps,
    checkpoint ?? "none",
    steps - (checkpoint ?? 0),
  ];
  const widths = [6, 10, 9, 6, 11, 6];
  const state = problems.length === 0 ? "ok" : `WRONG: ${problems.join("; ")}`;
  return `${cells.map((cell, i) => String(cell).padStart(widths[i]!)).join("  ")}  ${state}`;
};

try {
  console.log("moment  killed in      after   steps  checkpoint    lost  state");
  const { kills, finished, differing, compared } = await killTest({
    program: [main],
    folder,
    moments,
    seed,
    onKill: (kill) => console.log(row(kill)),
  });
  const wrong = kills.filter(({ problems }) => problems.length > 0).length;
  const lost = kills.map(({ steps, checkpoint = 0 }) => steps - checkpoint);
  console.log(
    `\n${kills.length} kills, ${kills.filter(({ during }) => during === "training").length} of them while it trained: ${wrong} with a problem; ` +
      `at most ${Math.max(0, ...lost)} steps lost. ${finished} run(s) came to the end: ${compared} files compared with the undisturbed ` +
      `run's, ${differing.length} differ${differing.length > 0 ? ` (${differing.join(", ")})` : ""}.`,
  );
  process.exitCode = wrong + differing.length > 0 ? 2 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
