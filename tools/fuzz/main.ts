// Tries damaged model files, checkpoints and configurations on their readers:
//   npm run fuzz -- --count 100000 --seed 0 [--kinds "torch zip,pickle"] [--keep FOLDER]
//   npm run fuzz -- --seed 0 --only "torch zip" --number 123 --keep FOLDER      (one input again, with its error)
// Exit code 0 when every input was accepted or refused by an error of the user's kind; 2 otherwise.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { failed, fuzz, type KindResult, MAX_GROWTH } from "./fuzz.ts";
import { KINDS, kindOf, runInput } from "./kinds.ts";

const { values: options } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    seed: { type: "string", default: "0" },
    kinds: { type: "string", default: Object.keys(KINDS).join() },
    only: { type: "string" },
    number: { type: "string", default: "0" },
    keep: { type: "string" },
  },
});

const ERRORS = ["CheckpointError", "ConfigError"];
const HEADER = ["kind", "inputs", "accepted", ...ERRORS, "user errors", "other", "MB grown", "seconds"];

const row = (cells: readonly (string | number)[]) =>
  cells
    .map((cell, i) =>
      i === 0 ? String(cell).padEnd(18) : String(cell).padStart(Math.max(9, HEADER[i]!.length)),
    )
    .join("  ");

function cells({ kind, inputs, outcomes, growth, seconds }: KindResult): (string | number)[] {
  const { accepted = 0, other = 0 } = outcomes;
  const named = ERRORS.map((name) => outcomes[name] ?? 0);
  const users = inputs - accepted - other - named.reduce((sum, count) => sum + count, 0);
  return [kind, inputs, accepted, ...named, users, other, (growth / 1e6).toFixed(0), seconds.toFixed(1)];
}

function printBugs({ kind, bugs, growth }: KindResult): void {
  if (growth > MAX_GROWTH)
    console.log(`  memory grew by ${(growth / 1e6).toFixed(0)} MB, more than ${MAX_GROWTH / 1e6}`);
  for (const { number, what } of bugs) console.log(`  --only "${kind}" --number ${number}: ${what}`);
}

const seed = Number(options.seed);
const folder = options.keep ?? mkdtempSync(join(tmpdir(), "invdiff-fuzz-"));
mkdirSync(folder, { recursive: true });

if (options.only !== undefined) {
  const kind = kindOf(options.only);
  console.log(`seed ${seed}, ${options.only} ${options.number}: ${join(folder, kind.file)}`);
  runInput(options.only, folder, { seed, number: Number(options.number) });
  console.log("accepted");
} else {
  const kinds = options.kinds.split(",");
  kinds.forEach(kindOf);
  const perKind = Math.ceil(Number(options.count) / kinds.length);
  console.log(row(HEADER));
  const onKind = (result: KindResult) => {
    console.log(row(cells(result)));
    printBugs(result);
  };
  const results = await fuzz({ kinds, perKind, seed, folder, onKind });
  const bad = results.filter(failed);
  const total = results.reduce((sum, { inputs }) => sum + inputs, 0);
  console.log(
    bad.length === 0
      ? `${total} inputs, seed ${seed}: every one was read or refused as it should be.`
      : `seed ${seed}: ${bad.map(({ kind }) => kind).join(", ")} did what no reader may do.`,
  );
  if (bad.length > 0) process.exitCode = 2;
  else if (options.keep === undefined) rmSync(folder, { recursive: true });
}
