// What a run of the benchmarks gives, and what is made of the workers' answers.
import type { Case, Scale } from "./cases.ts";
import type { Machine } from "./machine.ts";
import { type Hello, isMeasured, type Result } from "./protocol.ts";
import { type Row, rowsOf } from "./rows.ts";

/** A case with all that both sides measured; `python` is null where it was left out. */
export interface MeasuredCase {
  readonly case: Case;
  readonly ours: readonly Result[];
  readonly python: readonly Result[] | null;
}

/** What the card does at best, as our side measured it. */
export interface Ceiling {
  readonly matmulTeraflops?: number;
  readonly copyGigabytesPerSecond?: number;
}

export interface BenchmarkReport {
  readonly made: string;
  readonly device: string;
  /** Name of the card, or "cpu". */
  readonly card: string;
  readonly scale: Scale;
  /** Of the sources; with "+" where files differ from it. */
  readonly commit: string | null;
  readonly machine: Machine;
  readonly ours: Hello;
  readonly python: Hello | null;
  /** Why Python was not measured. */
  readonly pythonFailure?: string;
  readonly commands: {
    readonly benchmark: readonly string[];
    readonly ours: readonly string[];
    readonly python: readonly string[] | null;
  };
  readonly ceiling: Ceiling;
  readonly rows: readonly Row[];
  readonly cases: readonly MeasuredCase[];
  /** Cases that there was no time for. */
  readonly leftOut: readonly string[];
  readonly seconds: number;
}

export function ceilingOf(measured: readonly MeasuredCase[], card: string): Ceiling {
  const first = (kind: Case["kind"]): Row | undefined =>
    measured.flatMap((one) => (one.case.kind === kind ? rowsOf(one, { card }) : []))[0];
  const [matmul, copy] = [first("matmul")?.teraflops, first("copy")?.gigabytesPerSecond];
  return {
    ...(matmul !== undefined && { matmulTeraflops: matmul }),
    ...(copy !== undefined && { copyGigabytesPerSecond: copy }),
  };
}

/** The results of two rounds together; of a way that failed once, the failure. */
export function merged(before: readonly Result[] | undefined, now: readonly Result[]): readonly Result[] {
  if (!before) return now;
  return now.flatMap((result) => {
    const earlier = before.filter(({ variant }) => variant === result.variant);
    const failed = [...earlier, result].find((one) => !isMeasured(one));
    if (failed) return failed === result || isMeasured(result) ? [failed] : [];
    const same = earlier.filter(isMeasured).find((one) => isMeasured(result) && one.row === result.row);
    if (!same || !isMeasured(result)) return [result];
    return [{ ...result, milliseconds: [...same.milliseconds, ...result.milliseconds] }];
  });
}
