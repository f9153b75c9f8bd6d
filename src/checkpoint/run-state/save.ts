/**
 * Saving a checkpoint. A process that dies at any moment (or a machine that loses power) leaves each checkpoint whole under
 * its name, or not at all: everything is written and flushed beside, then renamed, and only then are old ones removed.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  ConfigError,
  InvDiffError,
  isAlive,
  removeDir,
  type Tensor,
  writeFileAtomic,
} from "../../torch/index.ts";
import { writeSafetensors } from "../safetensors.ts";
import { checkRunState, writeRunManifest } from "./manifest.ts";
import { asideName, lookAround, runStateName } from "./names.ts";
import { listRunStates } from "./list.ts";

export interface RunState {
  /** Optimizer steps done. */
  readonly step: number;
  /** Tensors by group ("weights", "optimizer", "ema"), each group a file of its own; dtypes stay as they are. */
  readonly tensors: Readonly<Record<string, ReadonlyMap<string, Tensor>>>;
  /** Everything else, as plain JSON: generators, position in the data, config, versions. */
  readonly state: object;
}

export interface SaveRunStateOptions {
  /** How many checkpoints stay, the new one included; default: all. */
  readonly keep?: number | undefined;
}

export const STATE = "state.json";
export const tensorFile = (group: string): string => `${group}.safetensors`;
const GROUP = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/**
 * Writes `dir/checkpoint-<step>`, replacing one of the same step, and returns its path; then removes all but the newest
 * `keep` usable ones. The new one always stays. Throws ConfigError for a wrong step, name or keep, InvDiffError for a state
 * that JSON cannot hold, the system's error when the disk is full; nothing has changed then.
 */
export function saveRunState(dir: string, content: RunState, { keep }: SaveRunStateOptions = {}): string {
  const { step, tensors, state } = content;
  const path = join(dir, runStateName(step));
  if (keep !== undefined && (!Number.isSafeInteger(keep) || keep < 1))
    throw new ConfigError(`keep is ${keep}; expected the number of checkpoints that stay, from 1 on.`);
  const groups = Object.keys(tensors);
  const wrong = groups.find((group) => !GROUP.test(group));
  if (wrong !== undefined)
    throw new ConfigError(`The tensors "${wrong}" cannot name a file; expected letters, digits, - and _.`);
  const text = jsonText(state);
  if (mkdirSync(dir, { recursive: true }) !== undefined) flushFolder(dirname(resolve(dir)));
  tidy(dir);
  const temporary = join(dir, asideName(step, "tmp"));
  try {
    mkdirSync(temporary);
    for (const group of groups) writeSafetensors(join(temporary, tensorFile(group)), tensors[group]!);
    writeFileAtomic(join(temporary, STATE), text);
    writeRunManifest(temporary, step, [...groups.map(tensorFile), STATE]);
    flushFolder(temporary);
    publish(dir, temporary, step);
  } catch (error) {
    removeDir(temporary);
    throw error;
  }
  if (keep !== undefined) prune(dir, step, keep);
  return path;
}

/** Removes the checkpoints of steps above `after`: those of a run that goes on from an earlier one. */
export function removeRunStates(dir: string, { after }: { after: number }): void {
  for (const { step, path } of listRunStates(dir)) if (step > after) remove(dir, step, path);
}

/** Puts `temporary` in its place; an older checkpoint of the step is at no moment missing under both of its names. */
function publish(dir: string, temporary: string, step: number): void {
  const [path, old] = [join(dir, runStateName(step)), join(dir, asideName(step, "old"))];
  const replaces = existsSync(path);
  if (replaces) renameSync(path, old);
  try {
    renameSync(temporary, path);
  } catch (error) {
    if (replaces) renameSync(old, path);
    throw error;
  }
  flushFolder(dir);
  removeDir(old);
}

/** Keeps `saved` and the newest others that look usable, `keep` in all. */
function prune(dir: string, saved: number, keep: number): void {
  const others = listRunStates(dir).filter(({ step }) => step !== saved);
  const usable = others.filter(({ path }) => looksUsable(path));
  const kept = usable.reverse().slice(0, keep - 1);
  for (const place of others) if (!kept.includes(place)) remove(dir, place.step, place.path);
}

/** By names and sizes: reading gigabytes at every save would cost more than the save. */
function looksUsable(path: string): boolean {
  try {
    checkRunState(path, { hashes: false });
    return true;
  } catch {
    return false;
  }
}

/** Takes the name away first: a checkpoint that is half deleted must not be found. */
function remove(dir: string, step: number, path: string): void {
  const doomed = join(dir, asideName(step, "del"));
  removeDir(doomed);
  renameSync(path, doomed);
  removeDir(doomed);
}

/** Removes what dead processes left over, and brings back what one had put aside without putting anything in its place. */
function tidy(dir: string): void {
  const { places, asides } = lookAround(dir);
  const taken = new Set(places.map(({ step }) => step));
  for (const { step, path, kind, pid } of asides) {
    if (pid !== process.pid && isAlive(pid)) continue;
    if (kind === "old" && !taken.has(step)) {
      renameSync(path, join(dir, runStateName(step)));
      taken.add(step);
    } else removeDir(path);
  }
}

/** Flushes a folder's entries, so that a rename in it outlives a loss of power; Windows has no such call. */
function flushFolder(dir: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The state as JSON; what would come back as something else is refused. */
function jsonText(state: object): string {
  const check = function (this: unknown, key: string, value: unknown): unknown {
    const given = (this as Record<string, unknown>)[key];
    if (typeof value === "number" && !Number.isFinite(value))
      throw new InvDiffError(
        `The state's "${key}" is ${value}, which JSON cannot hold; expected a finite number.`,
      );
    const isPlain =
      typeof given !== "object" ||
      given === null ||
      Array.isArray(given) ||
      [Object.prototype, null].includes(Object.getPrototypeOf(given) as object | null);
    if (typeof given === "function" || typeof given === "bigint" || !isPlain)
      throw new InvDiffError(
        `The state's "${key}" is ${typeof given === "object" ? `a ${given?.constructor.name}` : `a ${typeof given}`}; ` +
          "expected plain objects, lists, text, numbers, true, false or null.",
      );
    return value;
  };
  return `${JSON.stringify(state, check)}\n`;
}
