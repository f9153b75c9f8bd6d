// gpu-check.sh: finds torch, builds the addon against it, compares numbers, runs the benchmarks, prints one table.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { handleSignals, run, tail } from "../../scripts/child.mjs";
import { SetupError } from "../../scripts/locate-libtorch.mjs";
import type { BenchmarkReport } from "../../bench/gpu/index.ts";
import { HELP, type Options, parseOptions } from "./arguments.ts";
import { buildAgainst } from "./build.ts";
import { findTorch, type FoundTorch, problemOf } from "./find-torch.ts";
import { describeHost } from "./host.ts";
import { changedFiles, readManifest } from "./manifest.ts";
import { readResults } from "./part-result.ts";
import { benchProblems, type CheckReport, parityProblems, reportLines } from "./report.ts";
import { openResults, type Results } from "./results-folder.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Seconds for the whole check on a card: hosts lend theirs by the minute. A processor takes as long as it takes. */
const LIMIT = { full: 590, quick: 240, processor: 7200 };
/** The comparisons take about one minute of them; what hangs must not take the benchmarks' time. */
const PARITY_LIMIT = 240;
/** The last benchmark begins so long before the end. */
const LAST_CASE = 60;

const HERE = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** In a checkout the sources are run; in a bundle what the compiler made of them. */
const scriptOf = (name: string): string[] =>
  import.meta.url.endsWith(".ts")
    ? ["--import", import.meta.resolve("tsx"), HERE(`${name}.ts`)]
    : [HERE(`${name}.js`)];

interface Check {
  readonly options: Options;
  readonly results: Results;
  readonly torch: FoundTorch;
  /** Seconds left of the whole. */
  readonly left: () => number;
}

interface Ended {
  /** The exit code where it ended by itself. */
  readonly code: number | undefined;
  /** How it ended, in words. */
  readonly words: string;
}

/** Runs a script of this folder with its lines shown and kept in NAME.log; undefined when it ended well. */
async function runScript(
  { results, left }: Check,
  name: string,
  { args, limit, env = {} }: { args: readonly string[]; limit: number; env?: NodeJS.ProcessEnv },
): Promise<Ended | undefined> {
  let rest = "";
  const onText = (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    // Warnings of libraries stay in the log.
    for (const line of lines) if (line.startsWith(`${name}: `)) results.say(line);
  };
  const limitMs = Math.max(1, Math.min(limit, left())) * 1000;
  const command = [...scriptOf(name), ...args];
  const { code, signal, output, timedOut } = await run(process.execPath, command, {
    ...{ onText, limitMs, env: { ...process.env, ...env } },
  });
  writeFileSync(results.path(`${name}.log`), output);
  if (timedOut)
    return {
      code: undefined,
      words: `${name}: ended after ${(limitMs / 1000).toFixed(0)} s, for its time was over`,
    };
  if (code === 0 && signal === null) return undefined;
  const words = `${name}: ended with ${signal ?? `exit code ${code}`}; its last words:\n${tail(output, 8)}`;
  return { code: signal === null ? code : undefined, words };
}

const readJson = <T>(path: string): T | undefined =>
  existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : undefined;

async function compareNumbers(check: Check): Promise<Pick<CheckReport, "parity" | "problems">> {
  const { options, results, torch } = check;
  const [json, normal] = [results.path("parity.json"), results.path("python-normal.json")];
  const args = ["--device", options.device, "--json", json];
  if (torch.normal !== undefined) {
    results.writeJson("python-normal.json", torch.normal);
    args.push("--normal", normal);
  }
  if (options.quick) args.push("--quick");
  // cuBLAS' own rule: with this it can be deterministic, which it is only asked for where runs are compared to the bit.
  const env = { CUBLAS_WORKSPACE_CONFIG: ":4096:8" };
  const limit = options.device === "cpu" ? LIMIT.processor : PARITY_LIMIT;
  const ended = await runScript(check, "parity", { args, env, limit });
  const parity = readResults(json);
  const problems = parityProblems(parity);
  // Numbers outside their tolerance end it with 2.
  const isKnown = ended === undefined || (ended.code === 2 && problems.length > 0);
  return { parity, problems: isKnown ? problems : [...problems, ended.words] };
}

async function measure(check: Check, commit: string): Promise<Pick<CheckReport, "bench" | "problems">> {
  const { options, results, torch, left } = check;
  const json = results.path("bench.json");
  const { device, quick } = options;
  const python = torch.importError === undefined ? torch.executable : null;
  const limitSeconds = Math.max(1, Math.floor(left() - LAST_CASE));
  const scale = quick && device !== "cpu" ? { scale: "quick" } : {};
  const given = JSON.stringify({ device, python, json, limitSeconds, commit, ...scale });
  const ended = await runScript(check, "bench", { args: [given], limit: Infinity });
  const bench = readJson<BenchmarkReport>(json);
  const problems = bench === undefined ? [] : benchProblems(bench);
  return { ...(bench && { bench }), problems: ended === undefined ? problems : [...problems, ended.words] };
}

/** Gives the exit code. Errors: SetupError for what is missing on this host. */
async function main(options: Options): Promise<number> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const results = openResults(ROOT, options.device, options.out);
  const say = (line: string) => results.say(`gpu-check: ${line}`);
  const manifest = readManifest(ROOT);
  const changed = manifest === undefined ? [] : changedFiles(ROOT, manifest);
  if (changed.length > 0) say(`changed since the bundle was packed: ${changed.slice(0, 5).join(", ")}`);
  try {
    const torch = findTorch(options.python);
    say(`torch ${torch.libtorch.version} of ${torch.executable}, ${torch.libtorch.path}`);
    const problem = problemOf(options.device, torch);
    if (problem !== undefined) throw new SetupError(problem);
    const build = await buildAgainst(torch.libtorch, {
      ...{ root: ROOT, log: results.path("build.log"), note: say },
      needsCuda: options.device === "cuda",
    });
    say(
      `addon ${build.compiled === 0 ? "up to date" : "built"} (${build.seconds.toFixed(0)} s), ${build.compiler}`,
    );
    if (options.buildOnly) return 0;
    const { version, commit } = manifest ?? { version: "of a checkout", commit: "unknown" };
    const limit = options.device === "cpu" ? "processor" : options.quick ? "quick" : "full";
    const left = () => LIMIT[limit] - seconds();
    const check: Check = { options, results, torch, left };
    const nothing = { problems: [] as readonly string[] };
    const parity = options.skipParity ? nothing : await compareNumbers(check);
    const bench = options.skipBench ? nothing : await measure(check, commit);
    const { normal: _, ...found } = torch;
    const report: CheckReport = {
      ...{ made: new Date().toISOString(), version, commit, changedFiles: changed },
      ...{ device: options.device, quick: options.quick, host: describeHost(), torch: found, build },
      ...{ ...parity, ...bench, problems: [...parity.problems, ...bench.problems], seconds: seconds() },
    };
    const lines = await reportLines(report);
    lines.forEach((line) => results.say(line));
    writeFileSync(results.path("table.txt"), `${lines.join("\n").trimStart()}\n`);
    results.writeJson("gpu-check.json", report);
    results.say(`results and logs: ${results.folder}`);
    return report.problems.length === 0 ? 0 : 2;
  } catch (error) {
    if (error instanceof Error)
      results.keep(error instanceof SetupError ? error.message : String(error.stack));
    throw error;
  }
}

const ENVIRONMENT = new Set(["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EMFILE"]);

/** What to tell for a failure, and the exit code: 1 for this host, 2 for a fault of ours. */
function describe(error: unknown): { text: string; code: number } {
  if (error instanceof SetupError) return { text: error.message, code: error.exitCode };
  const { code = "", message = String(error), stack = message } = error as Partial<NodeJS.ErrnoException>;
  if (!ENVIRONMENT.has(code)) return { text: stack, code: 2 };
  return {
    text: `${message}\nThe bundle builds in its own folder: check its rights and the free disk space.`,
    code: 1,
  };
}

handleSignals("gpu-check", "what was built and measured so far is kept");
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(HELP);
  else process.exitCode = await main(options);
} catch (error) {
  const { text, code } = describe(error);
  console.error(`gpu-check: ${text}`);
  process.exitCode = code;
}
