// The benchmarks of one device: our library beside PyTorch eager, case by case in turn, each side in a process of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { benchmarkCases, type Case, type Scale } from "./cases.ts";
import { isCard } from "./clock.ts";
import { type CommandOptions, ourCommand, pythonCommand } from "./commands.ts";
import { commitOf, describeMachine } from "./machine.ts";
import type { Hello, Result } from "./protocol.ts";
import { type BenchmarkReport, ceilingOf, type MeasuredCase, merged } from "./report.ts";
import { rowsOf } from "./rows.ts";
import { rowLine } from "./table.ts";
import { type WorkerProcess, workerProcess } from "./worker-process.ts";

export interface BenchmarkOptions extends CommandOptions {
  /** Default: "tiny" on the processor, "full" elsewhere. */
  readonly scale?: Scale;
  /** Cases whose names begin with one of these, and the peak that they are compared with. */
  readonly cases?: readonly string[];
  /** Times that both sides do a case, in turn; default 1. */
  readonly rounds?: number;
  /** No case begins after so many seconds; default 480. */
  readonly limitSeconds?: number;
  /** A file for the report, written anew after every case. */
  readonly json?: string;
  /** Of the sources, where they are no repository. */
  readonly commit?: string;
  /** Told a line for every row as it comes. */
  readonly print?: (line: string) => void;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Seconds for one case of one side; the first holds the start of the process. */
const CASE_LIMIT = 180;

/**
 * Measures and gives the report; a case that fails is a row that says why. Throws where our side does not start, such as on
 * a device that is not there.
 */
export async function runGpuBenchmarks(options: BenchmarkOptions): Promise<BenchmarkReport> {
  const { device, rounds = 1, limitSeconds = 480, print = () => undefined, json } = options;
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const scale = options.scale ?? (device === "cpu" ? "tiny" : "full");
  const cases = chosenCases(benchmarkCases(scale, { graphs: isCard(device) }), options.cases);
  const cache = mkdtempSync(join(tmpdir(), "invdiff-bench-set-"));
  const commands = { ours: ourCommand(options, cache), python: pythonCommand(options) };
  const worker = (command: readonly [string, ...string[]], waysOf: (one: Case) => readonly string[]) =>
    workerProcess({ command, waysOf, limitSeconds: CASE_LIMIT });
  const ours = worker(commands.ours, ({ ways }) => ways);
  const python = commands.python && worker(commands.python, ({ pythonWays }) => pythonWays);
  try {
    const own = await ours.start();
    const twin = await startPython(python, print);
    const facts = {
      ...{ device, card: own.device, scale, ours: own, python: twin.hello },
      ...(twin.failure !== undefined && { pythonFailure: twin.failure }),
      ...{ commit: options.commit ?? commitOf(ROOT), machine: describeMachine(device) },
      commands: { benchmark: process.argv, ...commands },
    };
    const measured: MeasuredCase[] = [];
    const leftOut: string[] = [];
    const report = (): BenchmarkReport => {
      const ceiling = ceilingOf(measured, own.device);
      const context = { card: own.device, ...ceiling };
      const rows = measured.flatMap((one) => rowsOf(one, context));
      const made = new Date().toISOString();
      return { made, ...facts, ceiling, rows, cases: measured, leftOut, seconds: seconds() };
    };
    for (const one of cases) {
      if (seconds() > limitSeconds) {
        leftOut.push(one.name);
        print(`${one.name}  left out: ${limitSeconds} s are over`);
        continue;
      }
      measured.push(await inTurns(one, { ours, python: twin.hello && python, rounds }));
      const { rows, ...rest } = report();
      for (const row of rows) if (row.case === one.name) print(rowLine(row));
      if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...rest, rows }, null, 2)}\n`);
    }
    return report();
  } finally {
    await Promise.all([ours.end(), python?.end()]);
    rmSync(cache, { recursive: true, force: true });
  }
}

function chosenCases(all: readonly Case[], names: readonly string[] | undefined): Case[] {
  const lost = names?.find((name) => !all.some((one) => one.name.startsWith(name)));
  if (lost !== undefined) {
    const known = all.map(({ name }) => name).join("\n  ");
    throw new Error(`No case begins with "${lost}"; there are:\n  ${known}`);
  }
  return all.filter(
    ({ kind, name }) => kind === "matmul" || (names?.some((one) => name.startsWith(one)) ?? true),
  );
}

async function startPython(
  python: WorkerProcess | null,
  print: (line: string) => void,
): Promise<{ hello: Hello | null; failure?: string }> {
  if (!python) return { hello: null, failure: "no Python with torch was named or found" };
  try {
    return { hello: await python.start() };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    print(`Python is left out: ${failure}`);
    return { hello: null, failure };
  }
}

/** Both sides do the case, one after the other, `rounds` times. */
async function inTurns(
  one: Case,
  { ours, python, rounds }: { ours: WorkerProcess; python: WorkerProcess | null; rounds: number },
): Promise<MeasuredCase> {
  let own: readonly Result[] | undefined;
  let other: readonly Result[] | undefined;
  for (let round = 0; round < rounds; round++) {
    own = merged(own, await ours.ask(one));
    if (python) other = merged(other, await python.ask(one));
  }
  return { case: one, ours: own ?? [], python: other ?? null };
}
