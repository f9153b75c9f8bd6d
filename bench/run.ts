// Our library beside Python on the same libtorch: both run in turn in fresh processes (A B A B ...), medians of rounds.
//
//   npm run bench -- [dispatch] [train-step] [stable-diffusion] [training] [images] [--rounds 3] [--threads N] [--calls 20] [--json FILE] [--clock cpu]
//
// `--clock cpu` measures processor time instead of wall time: for a busy machine, with --threads 1.
// BENCH_PYTHON names a Python whose torch is the very build that we use; without it only our side runs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { median, type WorkerResult } from "./measure.ts";

const ROOT = join(import.meta.dirname, "..");
interface Suite {
  readonly title: string;
  readonly ours: string;
  readonly python: string;
  /** The suite's own default: full-size networks take seconds a call. */
  readonly calls?: number;
  /** Writes the suite's files to the folder BENCH_FOLDER. */
  readonly files?: string;
}

const SUITES: Record<string, Suite> = {
  dispatch: { title: "one operator call", ours: "bench/dispatch.ts", python: "tools/bench/dispatch.py" },
  "train-step": {
    title: "quickstart U-Net, batch 64",
    ours: "bench/train-step.ts",
    python: "tools/bench/train_step.py",
  },
  "stable-diffusion": {
    title: "Stable Diffusion 1.4 size, batch 1, float32",
    ours: "bench/stable-diffusion.ts",
    python: "tools/bench/stable_diffusion.py",
    calls: 3,
  },
  training: {
    title:
      "stage 3 beside the reference's loop, float32: golden model (batch 16), the birds (batch 32), Stable Diffusion 1.4 (batch 1, 256 px)",
    ours: "bench/training.ts",
    python: "tools/bench/training.py",
  },
  images: {
    title: "512 pictures to batches of 32: decode, resize, crop, normalise, 2 workers",
    ours: "bench/images.ts",
    python: "tools/bench/images.py",
    files: "bench/make-images.ts",
    calls: 1,
  },
};

const HOW_TO_GET_PYTHON = `BENCH_PYTHON is not set: only our side runs. To compare, make an environment with the same torch:
  python3 -m venv /tmp/bench && /tmp/bench/bin/pip install torch==VERSION torchvision --index-url https://download.pytorch.org/whl/cpu
  /tmp/bench/bin/pip install diffusers==0.40.0 transformers
  BENCH_PYTHON=/tmp/bench/bin/python npm run bench     (PYTHONPATH=diffusers/src takes diffusers from its sources)`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: String(availableParallelism()) },
    calls: { type: "string" },
    json: { type: "string" },
    clock: { type: "string", default: "wall" },
  },
});
const python = process.env["BENCH_PYTHON"];
const suites = positionals.length > 0 ? positionals : Object.keys(SUITES);
const unknown = suites.find((name) => !(name in SUITES));
if (unknown !== undefined || (python !== undefined && !existsSync(python))) {
  console.error(
    unknown === undefined
      ? `BENCH_PYTHON=${python} does not exist.`
      : `Unknown suite "${unknown}"; there are ${Object.keys(SUITES).join(", ")}.`,
  );
  process.exit(2);
}
const env = {
  ...process.env,
  OMP_NUM_THREADS: options.threads,
  BENCH_THREADS: options.threads,
  BENCH_CLOCK: options.clock,
};

function run(command: string, args: string[], more: Record<string, string>): string {
  const { stdout, status } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...env, ...more },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${[command, ...args].join(" ")} failed with exit code ${status}`);
  return stdout;
}

const runOurs = (script: string, more: Record<string, string>): string =>
  run(process.execPath, ["--import", "tsx", script], more);

const resultOf = (stdout: string): WorkerResult =>
  JSON.parse(stdout.trim().split("\n").at(-1)!) as WorkerResult;

interface Row {
  readonly name: string;
  readonly ours: number;
  readonly python?: number;
  readonly ratio?: number;
}

/** "add [scope]" is compared with Python's "add", which has one way only. */
const twin = (name: string): string => name.replace(/ \[.*\]$/, "");

/** Results of the rounds of both sides. */
function rounds(suite: Suite): { ours: WorkerResult[]; theirs: WorkerResult[] } {
  const ours: WorkerResult[] = [];
  const theirs: WorkerResult[] = [];
  const folder = mkdtempSync(join(tmpdir(), "invdiff-bench-"));
  const more = { BENCH_CALLS: String(options.calls ?? suite.calls ?? 20), BENCH_FOLDER: folder };
  try {
    if (suite.files !== undefined) runOurs(suite.files, more);
    for (let round = 0; round < Number(options.rounds); round++) {
      ours.push(resultOf(runOurs(suite.ours, more)));
      if (python !== undefined) theirs.push(resultOf(run(python, [suite.python], more)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { ours, theirs };
}

function compare(suite: Suite): { rows: Row[]; unit: string; libtorch: string } {
  const { ours, theirs } = rounds(suite);
  const of = (results: WorkerResult[], name: string) =>
    median(results.flatMap(({ values }) => values[name] ?? []));
  const { unit, libtorch, values } = ours[0]!;
  const other = theirs[0]?.libtorch ?? libtorch;
  if (other !== libtorch)
    console.log(`Careful: Python has libtorch ${other}, ours is ${libtorch}; install the same.`);
  for (const [name, digest] of Object.entries(ours[0]!.digests ?? {}))
    if ([...ours, ...theirs].some(({ digests }) => digests?.[name] !== digest))
      throw new Error(`${name}: the results of the two languages differ.`);
  const rows = Object.keys(values).map((name): Row => {
    const own = of(ours, name);
    if (theirs.length === 0) return { name, ours: own };
    const reference = of(theirs, twin(name));
    return { name, ours: own, python: reference, ratio: own / reference };
  });
  return { rows, unit, libtorch };
}

if (python === undefined) console.log(HOW_TO_GET_PYTHON);
const machine = {
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  threads: Number(options.threads),
  node: process.version,
  rounds: Number(options.rounds),
  clock: options.clock,
};
const report: Record<string, unknown> = { machine: { ...machine, loadBefore: loadavg()[0] } };
console.log(
  `${machine.cpu}, ${machine.cores} cores, ${machine.threads} threads, Node ${machine.node}, load ${loadavg()[0]!.toFixed(1)}`,
);
for (const name of suites) {
  const suite = SUITES[name]!;
  const { rows, unit, libtorch } = compare(suite);
  report[name] = { unit, libtorch, rows };
  console.log(
    `\n${suite.title}, libtorch ${libtorch}, ${unit} (${options.clock} clock), median of ${options.rounds} rounds`,
  );
  const width = Math.max(...rows.map((row) => row.name.length));
  console.log(`${"".padEnd(width)}  ${"ours".padStart(9)}  ${"python".padStart(9)}  ratio`);
  for (const row of rows) {
    const cell = (value: number | undefined, digits: number) => (value?.toFixed(digits) ?? "-").padStart(9);
    const digits = unit === "ms" ? 1 : 0;
    const perSecond = (us: number | undefined) => us && 1e6 / us;
    console.log(
      `${row.name.padEnd(width)}  ${cell(row.ours, digits)}  ${cell(row.python, digits)}  ${row.ratio?.toFixed(2) ?? "-"}`,
    );
    if (unit === "us/image")
      console.log(
        `${"  images a second".padEnd(width)}  ${cell(perSecond(row.ours), 1)}  ${cell(perSecond(row.python), 1)}`,
      );
  }
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
