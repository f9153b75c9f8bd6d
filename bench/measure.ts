// Timing for the benchmark workers, the same way as tools/bench/measure.py.
import { performance } from "node:perf_hooks";

import { libtorchVersion, setFlushDenormal, setNumThreads } from "../src/torch/index.ts";

/** What a worker prints as its only line: values by case, lower is better. */
export interface WorkerResult {
  readonly unit: "ns/call" | "ms" | "us/image";
  readonly values: Record<string, number>;
  readonly libtorch: string;
  /** SHA-256 of what was computed, for cases whose results must be equal in both languages. */
  readonly digests?: Record<string, string> | undefined;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Milliseconds of the wall clock, or of this process's processor time, which other processes disturb less. */
export const now: () => number =
  process.env["BENCH_CLOCK"] === "cpu"
    ? () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000;
      }
    : () => performance.now();

/** Times of single calls in milliseconds, after a warm-up. */
export function timeCalls(fn: () => void, { warmup, calls }: { warmup: number; calls: number }): number[] {
  for (let i = 0; i < warmup; i++) fn();
  return Array.from({ length: calls }, () => {
    const start = now();
    fn();
    return now() - start;
  });
}

const setting = (name: string, fallback: number): number => Number(process.env[name] ?? fallback);

/** Set by bench/run.ts for both languages. */
export const threads = setting("BENCH_THREADS", 1);
export const calls = setting("BENCH_CALLS", 20);

/** Like the quickstart; before the first parallel operator. */
export function prepare(): void {
  setNumThreads(threads);
  setFlushDenormal(true);
}

export function printResult(
  unit: WorkerResult["unit"],
  values: Record<string, number>,
  digests?: Record<string, string>,
): void {
  const result: WorkerResult = { unit, values, libtorch: libtorchVersion(), digests };
  console.log(JSON.stringify(result));
}
