// Names in a folder of checkpoints: `checkpoint-000012`, and beside them hidden ones for what is not (or no longer) in place.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../torch/index.ts";

/** One checkpoint of a training. */
export interface RunStatePlace {
  /** Optimizer steps that it holds. */
  readonly step: number;
  readonly path: string;
}

/**
 * What a hidden folder is:
 * - `tmp`: being written;
 * - `old`: complete, stepped aside while one of the same step takes its place;
 * - `del`: being deleted.
 */
export type Aside = "tmp" | "old" | "del";

export interface AsidePlace extends RunStatePlace {
  readonly kind: Aside;
  /** Process that made it. */
  readonly pid: number;
}

const NAME = /^checkpoint-(\d{6,})$/;
const ASIDE = /^\.checkpoint-(\d{6,})\.(tmp|old|del)-(\d+)$/;

/** `checkpoint-000012`: at least six digits, so that names sort as steps do. */
export function runStateName(step: number): string {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new ConfigError(`A checkpoint of step ${step} was asked for; expected a whole number from 0 on.`);
  return `checkpoint-${String(step).padStart(6, "0")}`;
}

/** Hidden name of this process beside `checkpoint-N`. */
export const asideName = (step: number, kind: Aside): string =>
  `.${runStateName(step)}.${kind}-${process.pid}`;

/** The step that a folder's name says; undefined for other names. */
export function stepOfName(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1] ?? ASIDE.exec(name)?.[1];
  const step = digits === undefined ? undefined : Number(digits);
  return step !== undefined && Number.isSafeInteger(step) && name.includes(runStateName(step))
    ? step
    : undefined;
}

/** Everything of ours in `dir`, lowest step first; a missing folder holds nothing. */
export function lookAround(dir: string): { places: RunStatePlace[]; asides: AsidePlace[] } {
  const isThere = statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true;
  const names = isThere ? readdirSync(dir) : [];
  const found = names.flatMap((name) => {
    const step = stepOfName(name);
    return step === undefined ? [] : [{ name, step, path: join(dir, name) }];
  });
  found.sort((a, b) => a.step - b.step);
  const places = found.filter(({ name }) => NAME.test(name)).map(({ step, path }) => ({ step, path }));
  const asides = found.flatMap(({ name, step, path }) => {
    const [, , kind, pid] = ASIDE.exec(name) ?? [];
    return kind === undefined ? [] : [{ step, path, kind: kind as Aside, pid: Number(pid) }];
  });
  return { places, asides };
}
