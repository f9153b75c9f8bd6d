// Runs workers over kinds of inputs, survives their crashes and hangs, and adds up what they found.
import { fork } from "node:child_process";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bug, NUMBER_FILE, type Progress } from "./progress.ts";

export interface FuzzOptions {
  readonly kinds: readonly string[];
  /** Inputs of each kind. */
  readonly perKind: number;
  readonly seed: number;
  /** Where inputs lie while they are tried, and those that crashed or hung stay. */
  readonly folder: string;
  /** An input that takes longer than this hangs. Default 60 seconds. */
  readonly hangMs?: number;
  readonly onKind?: (result: KindResult) => void;
}

export interface KindResult {
  readonly kind: string;
  readonly inputs: number;
  /** Inputs by outcome: "accepted", the name of the error that refused them, or "other" for what no reader may do. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** The first of those under "other". */
  readonly bugs: readonly Bug[];
  /** Growth of the peak memory, the largest of any worker, in bytes. */
  readonly growth: number;
  readonly seconds: number;
}

/** What a process may grow by. */
export const MAX_GROWTH = 500e6;

/** True when an input of this kind threw what it must not, crashed, hung or took too much memory. */
export const failed = ({ outcomes, growth }: KindResult): boolean =>
  (outcomes["other"] ?? 0) > 0 || growth > MAX_GROWTH;

/** Tries `perKind` inputs of every kind, one kind after the other. */
export async function fuzz({ kinds, onKind, ...options }: FuzzOptions): Promise<KindResult[]> {
  const results: KindResult[] = [];
  for (const kind of kinds) {
    const result = await fuzzKind(kind, options);
    results.push(result);
    onKind?.(result);
  }
  return results;
}

async function fuzzKind(
  kind: string,
  { perKind, seed, folder, hangMs = 60_000 }: FuzzRun,
): Promise<KindResult> {
  const started = performance.now();
  const outcomes: Record<string, number> = {};
  const bugs: Bug[] = [];
  let growth = 0;
  const count = (name: string, inputs: number) => (outcomes[name] = (outcomes[name] ?? 0) + inputs);
  const work = join(folder, "current");
  mkdirSync(work, { recursive: true });
  const ranges: [first: number, end: number][] = [[0, perKind]];
  for (let range = ranges.pop(); range; range = ranges.pop()) {
    const [first, end] = range;
    if (first >= end) continue;
    const { last, death } = await runWorker([kind, seed, first, end - first, work].map(String), hangMs);
    for (const [name, inputs] of Object.entries(last.outcomes)) count(name, inputs);
    bugs.push(...last.bugs);
    growth = Math.max(growth, last.growth);
    if (death === undefined) continue;
    const number = Number(readFileSync(join(work, NUMBER_FILE), "utf8"));
    const kept = join(folder, `${kind} ${number}`);
    cpSync(work, kept, { recursive: true });
    count("other", 1);
    bugs.push({ number, what: `${death}; the input is kept in ${kept}` });
    // What was tried since the worker's last report died with it and is tried again.
    ranges.push([number + 1, end], [first + last.tried, number]);
  }
  return { kind, inputs: perKind, outcomes, bugs, growth, seconds: (performance.now() - started) / 1000 };
}

type FuzzRun = Omit<FuzzOptions, "kinds" | "onKind">;

/** The worker's last report, and how it ended when that was not by itself. */
function runWorker(args: readonly string[], hangMs: number): Promise<{ last: Progress; death?: string }> {
  const path = fileURLToPath(new URL("worker.ts", import.meta.url));
  // A small heap: what would fill it is a bug, found sooner.
  const execArgv = ["--import", "tsx", "--max-old-space-size=1024"];
  const worker = fork(path, args, { execArgv, stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let last: Progress = { tried: 0, outcomes: {}, bugs: [], growth: 0 };
  let reason = "";
  let hung = false;
  const kill = () => {
    hung = true;
    worker.kill("SIGKILL");
  };
  let timer = setTimeout(kill, hangMs);
  worker.stderr!.on("data", (text: Buffer) => {
    if (reason === "") reason = /FATAL ERROR: .*|\w*Error: .*/.exec(text.toString())?.[0] ?? "";
  });
  worker.on("message", (progress) => {
    last = progress as Progress;
    clearTimeout(timer);
    timer = setTimeout(kill, hangMs);
  });
  return new Promise((resolve) => {
    worker.on("close", (code, signal) => {
      clearTimeout(timer);
      const how = hung
        ? `hung for ${hangMs / 1000} s`
        : `crashed (${signal ?? `exit code ${code}`}) ${reason}`;
      resolve({ last, death: code === 0 ? undefined : how.trim() });
    });
  });
}
