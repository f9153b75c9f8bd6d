// From what the workers answered to the rows of the table.
import { median } from "../measure.ts";
import type { Case, GuidanceCase } from "./cases.ts";
import { decoderFlops, encoderFlops, unetFlops } from "./flops.ts";
import { isMeasured, type Measured, type NotMeasured, type Result } from "./protocol.ts";
import type { MeasuredCase } from "./report.ts";

export type Verdict = "met" | "missed" | "not applicable";

export interface Row {
  readonly case: string;
  /** Which part of the case; "" where there is one only. */
  readonly row: string;
  readonly way: string;
  /** Median of the measurements. */
  readonly milliseconds?: number;
  readonly imagesPerSecond?: number;
  /** Work by the FLOP table / time. */
  readonly teraflops?: number;
  /** Of the measured matmul peak. */
  readonly peakShare?: number;
  readonly gigabytesPerSecond?: number;
  readonly peakBytes?: number;
  readonly idleShare?: number;
  readonly python?: PythonCell;
  /** Our time / Python's. */
  readonly ratio?: number;
  readonly ratioVerdict: Verdict;
  readonly target?: { readonly what: string; readonly imagesPerSecond: number; readonly verdict: Verdict };
  /** Why our side has no numbers. */
  readonly failure?: string;
}

/** Python's fastest way. */
export interface PythonCell {
  readonly way?: string;
  readonly milliseconds?: number;
  readonly imagesPerSecond?: number;
  readonly peakBytes?: number;
  readonly failure?: string;
}

/** The ratio that the issue asks for at most. */
export const MAX_RATIO = 0.95;

/** Targets in images per second are those of one H200; an H100 of the same board computes as fast. */
const TARGET_CARDS = /\bH200\b|\bH100 80GB HBM3\b/;

export interface RowContext {
  /** The card's name, or "cpu". */
  readonly card: string;
  /** Of the measured matrix product. */
  readonly matmulTeraflops?: number | undefined;
}

/** What one call of a case does; `row` is the part of it. */
export function workOf(one: Case, row: string): { images?: number; flops?: number; bytes?: number } {
  switch (one.kind) {
    case "matmul":
      return { flops: 2 * one.size ** 3 };
    case "copy":
      // Read and written.
      return { bytes: 2 * one.bytes };
    case "training":
      return { images: one.batch, flops: one.batch * trainingFlops(one) };
    case "sampling": {
      const guided = one.guidanceScale > 1 ? 2 : 1;
      const decoded = row === "to images" ? decoderFlops(one.vae, sizeOf(one.latentShape)) : 0;
      return { images: one.batch, flops: one.batch * (one.steps * guided * forwardFlops(one) + decoded) };
    }
    case "groups":
      return { images: one.batch, flops: one.batch * 2 * one.timesteps.length * forwardFlops(one) };
    case "encode":
      return { images: one.batch, flops: one.batch * encoderFlops(one.vae, sizeOf(one.imageShape)) };
    case "decode":
      return { images: one.batch, flops: one.batch * decoderFlops(one.vae, sizeOf(one.latentShape)) };
  }
}

const sizeOf = ([, height, width]: readonly [number, number, number]): [number, number] => [height, width];

type Networks = Pick<Extract<Case, { kind: "training" }>, "unet" | "latentShape" | "tokens">;

const forwardFlops = ({ unet, latentShape, tokens }: Networks): number =>
  unetFlops(unet, { size: sizeOf(latentShape), tokens });

/** One image in a training step: the backward pass is two forward ones, and a frozen base of its own runs forwards only. */
function trainingFlops(one: Networks & { readonly guidance?: GuidanceCase }): number {
  const { guidance } = one;
  const base = forwardFlops(one);
  if (!guidance) return 3 * base;
  const trained = guidance.unet ? forwardFlops({ ...one, unet: guidance.unet }) : base;
  return 3 * trained + (guidance.form === "blend" ? base : 0);
}

/** Rows of one case: one for each of our ways and each part. */
export function rowsOf({ case: one, ours, python }: MeasuredCase, context: RowContext): Row[] {
  return ours.map((result): Row => {
    const head = { case: one.name, way: result.variant };
    const other = (row: string) => (python ? { python: pythonCell(one, row, python) } : {});
    if (!isMeasured(result))
      return { ...head, row: "", failure: failureText(result), ratioVerdict: "not applicable", ...other("") };
    const { row, peakBytes, idleShare } = result;
    const speed = speedOf(one, result);
    const twin = other(row);
    const peakShare = context.matmulTeraflops && speed.teraflops && speed.teraflops / context.matmulTeraflops;
    const ratio = twin.python?.milliseconds && speed.milliseconds / twin.python.milliseconds;
    return {
      ...{ ...head, row, ...speed, ...twin },
      ...(peakShare !== undefined && { peakShare }),
      ...(peakBytes !== undefined && { peakBytes }),
      ...(idleShare !== undefined && { idleShare }),
      ...(ratio !== undefined && { ratio }),
      ratioVerdict:
        ratio === undefined || context.card === "cpu" ? "not applicable" : verdict(ratio <= MAX_RATIO),
      ...targetOf(one, { row, imagesPerSecond: speed.imagesPerSecond, ...context }),
    };
  });
}

const verdict = (isMet: boolean): Verdict => (isMet ? "met" : "missed");

function speedOf(one: Case, { row, milliseconds: times }: Measured) {
  const { images, flops, bytes } = workOf(one, row);
  const milliseconds = median(times);
  const perSecond = (amount: number): number => (1000 * amount) / milliseconds;
  return {
    milliseconds,
    ...(images !== undefined && { imagesPerSecond: perSecond(images) }),
    ...(flops !== undefined && { teraflops: perSecond(flops) / 1e12 }),
    ...(bytes !== undefined && { gigabytesPerSecond: perSecond(bytes) / 1e9 }),
  };
}

function pythonCell(one: Case, row: string, results: readonly Result[]): PythonCell {
  const measured = results.filter(isMeasured).filter((result) => result.row === row);
  const cells = measured.map((result) => ({ ...speedOf(one, result), result }));
  const [best] = cells.sort((a, b) => a.milliseconds - b.milliseconds);
  if (!best) {
    const failed = results.find((result): result is NotMeasured => !isMeasured(result));
    return { failure: failed ? failureText(failed) : "not measured" };
  }
  const { milliseconds, imagesPerSecond, result } = best;
  const { variant: way, peakBytes } = result;
  return {
    ...{ way, milliseconds },
    ...(imagesPerSecond !== undefined && { imagesPerSecond }),
    ...(peakBytes !== undefined && { peakBytes }),
  };
}

function targetOf(
  { target }: Case,
  { row, imagesPerSecond, card }: { row: string; imagesPerSecond: number | undefined } & RowContext,
): Pick<Row, "target"> {
  if (!target || imagesPerSecond === undefined || (target.row ?? row) !== row) return {};
  const { what, imagesPerSecond: wanted } = target;
  const isFor = TARGET_CARDS.test(card);
  return {
    target: {
      what,
      imagesPerSecond: wanted,
      verdict: isFor ? verdict(imagesPerSecond >= wanted) : "not applicable",
    },
  };
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

export function failureText(result: NotMeasured): string {
  if (!("outOfMemory" in result)) return `failed: ${result.error.split("\n")[0]}`;
  const { requestedBytes, freeBytes, totalBytes, message } = result.outOfMemory;
  const facts = [
    ...(requestedBytes === undefined ? [] : [`${gigabytes(requestedBytes)} asked for`]),
    ...(freeBytes === undefined ? [] : [`${gigabytes(freeBytes)} free`]),
    ...(totalBytes === undefined ? [] : [`${gigabytes(totalBytes)} in all`]),
  ];
  return `out of memory (${facts.length > 0 ? facts.join(", ") : message})`;
}

/** The best row of each target. */
export function targetLines(rows: readonly Row[]): string[] {
  const named = new Map<string, Row[]>();
  for (const row of rows)
    if (row.target) named.set(row.target.what, [...(named.get(row.target.what) ?? []), row]);
  return Array.from(named.values(), (own) => {
    const best = own.reduce((a, b) => (b.imagesPerSecond! > a.imagesPerSecond! ? b : a));
    const { what, imagesPerSecond, verdict: found } = best.target!;
    const speed = best.imagesPerSecond!.toPrecision(3);
    return `${what}, at least ${imagesPerSecond} images/s: ${speed} (${best.case}, ${best.way}): ${found}`;
  });
}

/** Whether every case's fastest way is fast enough beside Python. */
export function ratioLine(rows: readonly Row[], card: string): string {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.case} ${row.row}`;
    if (row.ratio !== undefined && !((best.get(key)?.ratio ?? Infinity) < row.ratio)) best.set(key, row);
  }
  const own = [...best.values()];
  if (own.length === 0) return "time beside Python's: not measured";
  const slow = own.filter(({ ratio }) => ratio! > MAX_RATIO);
  const head = `time at most ${MAX_RATIO} of Python's: ${own.length - slow.length} of ${own.length} rows`;
  if (card === "cpu") return `${head} (small shapes on a processor: not applicable)`;
  const names = slow.map((row) => `${row.case} ${row.row}`.trim() + ` ${row.ratio!.toFixed(2)}`);
  return slow.length === 0 ? `${head}: met` : `${head}: missed by ${names.join("; ")}`;
}
