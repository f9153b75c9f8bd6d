// The parity subset: compares with the golden fixtures on a device, then looks at the device itself. A process of its own,
// so that a fault in a driver ends it and not the whole check.
//
//   node parity.js --device cuda --json FILE [--quick] [--normal FILE]
//
// `--normal`: JSON with the normal numbers of Python's torch (probe.py). What is done is told line by line; the JSON is
// written anew after every part, so that what is done is known when a part ends the process.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  type Device,
  emptyCache,
  setConvolutionBenchmark,
  setFloat32Precision,
  setFlushDenormal,
  setReducedPrecisionReduction,
} from "../../src/torch/index.ts";
import { deviceParts } from "./device/parts.ts";
import type { Checks, Comparison, Precision } from "./parity/checks.ts";
import { checkClip } from "./parity/clip.ts";
import { checkFullSize } from "./parity/full-size.ts";
import { checkNetworks } from "./parity/networks.ts";
import { checkObjective } from "./parity/objective.ts";
import { checkPipelines } from "./parity/pipelines.ts";
import { checkRandom } from "./parity/random.ts";
import { checkSchedulers } from "./parity/schedulers.ts";
import { checkTraining } from "./parity/train.ts";
import { checkVision } from "./parity/vision.ts";
import { isGood, partLine, type PartResult, writeResults } from "./part-result.ts";

export interface Part {
  readonly name: string;
  readonly precision?: Precision;
  readonly run: (checks: Checks) => void | Promise<void>;
}

export interface ParityOptions {
  readonly device: Device;
  readonly quick?: boolean;
  /** Normal numbers of Python's torch by kind of device. */
  readonly normal?: Readonly<Record<string, readonly number[]>> | undefined;
}

/** Every part for a device, in order: quick ones first, those that could spoil the device last. */
export function parityParts({ device, quick = false, normal }: ParityOptions): Part[] {
  const inBfloat16 = { precision: "bfloat16" } as const;
  const isCard = device !== "cpu";
  const kinds = ["sd1", "sd2"] as const;
  return [
    { name: "random numbers", run: (checks) => checkRandom(checks, normal) },
    { name: "objective", run: checkObjective },
    { name: "schedulers", run: checkSchedulers },
    ...kinds.map((kind) => ({
      name: `networks ${kind}`,
      run: (checks: Checks) => checkNetworks(checks, kind),
    })),
    { name: "clip", run: checkClip },
    { name: "training", run: checkTraining },
    ...kinds.map((kind) => ({
      name: `pipelines ${kind}`,
      run: (checks: Checks) => checkPipelines(checks, kind),
    })),
    ...(quick ? [] : [{ name: "vision", run: checkVision }]),
    ...kinds.map((kind) => ({
      ...{ name: `networks ${kind}, bfloat16`, ...inBfloat16 },
      run: (checks: Checks) => checkNetworks(checks, kind),
    })),
    { name: "clip, bfloat16", ...inBfloat16, run: checkClip },
    { name: "training, bfloat16", ...inBfloat16, run: checkTraining },
    ...(isCard ? [{ name: "full-size U-Net", run: checkFullSize }, ...deviceParts()] : []),
  ];
}

/** Runs one part; what it throws becomes part of the result. */
async function runPart({ name, precision = "float32", run }: Part, device: Device): Promise<PartResult> {
  const start = performance.now();
  const comparisons: Comparison[] = [];
  const suffix = precision === "float32" ? "" : `, ${precision}`;
  const within: Checks["within"] = (row, at, error, tolerance) =>
    comparisons.push({ row: `${row}${suffix}`, at, error, tolerance });
  let failure = {};
  try {
    await run({ device, precision, within });
  } catch (error) {
    failure = { error: error instanceof Error ? error.message : String(error) };
  }
  return { name, comparisons, seconds: (performance.now() - start) / 1000, ...failure };
}

/** Float32 that is float32, and no kernels tried out: numbers are compared, not times. */
function prepare(): void {
  setFlushDenormal(true);
  setFloat32Precision("highest");
  setReducedPrecisionReduction(false);
  setConvolutionBenchmark(false);
}

/** Runs the parts and tells `done` after each what is there so far. */
export async function runParity(
  parts: readonly Part[],
  device: Device,
  done: (results: readonly PartResult[]) => void = () => {},
): Promise<PartResult[]> {
  prepare();
  const results: PartResult[] = [];
  for (const part of parts) {
    results.push(await runPart(part, device));
    done(results);
    emptyCache(device);
  }
  return results;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      device: { type: "string", default: "cuda" },
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      normal: { type: "string" },
    },
  });
  const { device, quick, json } = values;
  const normal =
    values.normal === undefined
      ? undefined
      : (JSON.parse(readFileSync(values.normal, "utf8")) as Record<string, number[]>);
  const results = await runParity(parityParts({ device, quick, normal }), device, (soFar) => {
    console.log(partLine(soFar.at(-1)!));
    if (json !== undefined) writeResults(json, soFar);
  });
  process.exitCode = results.every(isGood) ? 0 : 2;
}

if (process.argv[1] === import.meta.filename) await main();
