// Benchmarks of one graphics card beside PyTorch eager, or of the processor in small; prints one table.
//
//   npm run bench:gpu -- --device cuda [--json FILE] [--python PYTHON] [--quick] [--cases train,guidance]
//
// --python: a Python with torch (default: BENCH_PYTHON, or python3 if it has torch; "none": our side only). --quick: under three
// minutes on a card. --tiny: the processor's small shapes. --cases: those whose names begin so. --rounds N: both sides do every case N times, in turn. --limit
// SECONDS: no case begins later (default 480). --diffusers: Python measures diffusers' networks. docs/gpu.md tells how to read it.
import { parseArgs } from "node:util";
import { reportText, runGpuBenchmarks } from "./index.ts";

const whole = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  console.error(`--${name} is ${text}; expected a whole number of at least 1.`);
  process.exit(2);
};

const { values: options } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    json: { type: "string" },
    python: { type: "string", default: process.env["BENCH_PYTHON"] },
    quick: { type: "boolean", default: false },
    tiny: { type: "boolean", default: false },
    cases: { type: "string" },
    rounds: { type: "string" },
    limit: { type: "string" },
    threads: { type: "string" },
    diffusers: { type: "boolean", default: false },
  },
});
const { device, json, quick, cases, diffusers } = options;
try {
  const report = await runGpuBenchmarks({
    ...{ device, diffusers, json, print: (line) => console.error(line) },
    ...(quick && device !== "cpu" && { scale: "quick" }),
    ...(options.tiny && { scale: "tiny" }),
    ...(options.python !== undefined && { python: options.python === "none" ? null : options.python }),
    ...(cases !== undefined && { cases: cases.split(",") }),
    rounds: whole("rounds", options.rounds),
    limitSeconds: whole("limit", options.limit),
    threads: whole("threads", options.threads),
  });
  console.log(reportText(report));
  process.exitCode = report.rows.some(({ failure }) => failure?.startsWith("failed")) ? 1 : 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
