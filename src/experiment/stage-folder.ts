// The life of a stage's folder: NAME.partial while unfinished, NAME once complete. Only renames publish, so that
// a process killed at any moment leaves either the old folder or the new one.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removeDir, writeFileAtomic } from "../torch/atomic-file.ts";
import { readManifest } from "./manifest.ts";

const PARTIAL = "partial.json";

/** State of unfinished work. */
export interface Partial {
  key: string;
  startedAt: string;
  /** Working time of earlier tries. */
  seconds: number;
  /** What the work depends on, to tell what differs. */
  inputs?: Record<string, unknown> | undefined;
  needs?: Record<string, string> | undefined;
}

export const partialFolder = (out: string, name: string): string => join(out, `${name}.partial`);
const oldFolder = (out: string, name: string): string => join(out, `${name}.old`);

export const writePartial = (folder: string, partial: Partial): void =>
  writeFileAtomic(join(folder, PARTIAL), `${JSON.stringify(partial)}\n`);

/** What `partial.json` says; undefined when it is missing or broken. */
export function readPartial(folder: string): Partial | undefined {
  try {
    const value = JSON.parse(
      readFileSync(join(folder, PARTIAL), "utf8"),
    ) as globalThis.Partial<Partial> | null;
    if (typeof value?.key !== "string") return undefined;
    const { key, startedAt = new Date().toISOString(), seconds = 0, inputs, needs } = value;
    return { key, startedAt, seconds, inputs, needs };
  } catch {
    return undefined;
  }
}

/**
 * Puts a stage's folders in order after a crash: completes a publication that was cut off, brings back an old
 * folder whose replacement is not complete, removes one that was replaced.
 */
export function recoverStage(out: string, name: string): void {
  const [final, partial, old] = [join(out, name), partialFolder(out, name), oldFolder(out, name)];
  // A complete folder under the unfinished name: only its publication is missing.
  const complete = isComplete(partial);
  if (existsSync(old)) {
    if (existsSync(final)) removeDir(old);
    else if (!complete) renameSync(old, final);
  }
  if (complete) publishStage(out, name);
}

function isComplete(partial: string): boolean {
  if (existsSync(join(partial, PARTIAL))) return false;
  try {
    return readManifest(partial) !== undefined;
  } catch {
    return false;
  }
}

/** A new, empty folder for unfinished work. */
export function startPartial(out: string, name: string, partial: Partial): string {
  const folder = partialFolder(out, name);
  removeDir(folder);
  mkdirSync(folder, { recursive: true });
  writePartial(folder, partial);
  return folder;
}

/** Renames complete work to its final name; a folder with that name steps aside first and is removed last. */
export function publishStage(out: string, name: string): void {
  const [final, partial, old] = [join(out, name), partialFolder(out, name), oldFolder(out, name)];
  // The manifest is there already: without partial.json the folder counts as complete.
  rmSync(join(partial, PARTIAL), { force: true });
  if (existsSync(final)) {
    removeDir(old);
    renameSync(final, old);
  }
  renameSync(partial, final);
  removeDir(old);
}
