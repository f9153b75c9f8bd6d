/** A folder that appears whole or not at all. */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { DataError } from "../torch/errors.ts";

export interface WholeFolderOptions {
  /** Whether `target` may be made, or replaced: asked before the work and again before the folder takes its place. */
  readonly check: () => void;
  /** Start of the message when the disk refuses, such as "Birds cannot be written to birds". */
  readonly failure: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Lets `fill` write into a temporary folder beside `target` and renames it at the end; after any failure nothing is left.
 * Errors: those of `check` and `fill`; DataError for what the disk refuses; the signal's reason when aborted.
 */
export async function writeWholeFolder(
  target: string,
  { check, failure, signal }: WholeFolderOptions,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  check();
  signal?.throwIfAborted();
  const temporary = `${target}.partial-${process.pid}-${Date.now().toString(36)}`;
  try {
    await fill(temporary);
    signal?.throwIfAborted();
    check();
    // An old folder steps aside first, so that a crash between the two renames loses neither.
    const old = `${temporary}-old`;
    const replaces = existsSync(target);
    if (replaces) await rename(target, old);
    await rename(temporary, target);
    if (replaces) await rm(old, { recursive: true, force: true });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof DataError || signal?.aborted) throw error;
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    const advice = isFull ? "Free some disk space" : "Choose a folder that can be written to";
    throw new DataError(`${failure}: ${message}. ${advice}.`, { cause: error });
  }
}
