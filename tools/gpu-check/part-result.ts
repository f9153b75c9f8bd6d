// What a part of the parity subset gave, as it goes from the process that compares to the one that tells.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Comparison } from "./parity/checks.ts";
import { isWithin } from "./rows.ts";

export interface PartResult {
  readonly name: string;
  readonly seconds: number;
  readonly comparisons: readonly Comparison[];
  /** Why it could not be finished. */
  readonly error?: string;
}

/** True when every comparison of a part lies within its tolerance and it came to its end. */
export const isGood = ({ comparisons, error }: PartResult): boolean =>
  error === undefined && comparisons.length > 0 && comparisons.every(isWithin);

/** One line per part, for the eye and the log. */
export function partLine(result: PartResult): string {
  const { name, seconds, comparisons, error } = result;
  const state = isGood(result) ? "ok" : "FAILED";
  const reason = error === undefined ? "" : `: ${error.split("\n")[0]}`;
  return `parity: ${name}: ${state}, ${comparisons.length} values (${seconds.toFixed(1)} s)${reason}`;
}

/** JSON knows neither NaN nor infinity: they are written as text. */
export function writeResults(path: string, results: readonly PartResult[]): void {
  const finite = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  writeFileSync(path, `${JSON.stringify(results, finite, 1)}\n`);
}

/** What `writeResults` wrote; empty when it did not come so far. */
export function readResults(path: string): PartResult[] {
  if (!existsSync(path)) return [];
  const parts = JSON.parse(readFileSync(path, "utf8")) as PartResult[];
  return parts.map((part) => ({
    ...part,
    comparisons: part.comparisons.map((one) => ({ ...one, error: Number(one.error) })),
  }));
}
