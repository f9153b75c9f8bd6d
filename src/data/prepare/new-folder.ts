/** A folder that appears whole or not at all, and never in place of something that is not ours. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep, isAbsolute } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { writeWholeFolder } from "../whole-folder.ts";

/** Summary of a prepared data set; it marks the folder as ours. */
export const SUMMARY = "dataset.json";
export const FORMAT = "invdiff-dataset";

export interface TargetOptions {
  /** Replaces a prepared data set that is there. */
  readonly force: boolean;
  /** Folder that is read and must survive. */
  readonly source: string;
}

/** Errors: DataError when `target` holds anything (without `force`), is no prepared data set, or contains the source. */
export function checkTarget(target: string, { force, source }: TargetOptions): void {
  if (!existsSync(target)) return;
  const inside = relative(realpathSync(target), realpathSync(resolve(source)));
  if (inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside))
    throw new DataError(`${target} holds the source ${source}. Choose another output folder.`);
  if (!statSync(target).isDirectory())
    throw new DataError(`${target} is a file. Choose a new name for the output folder.`);
  if (readdirSync(target).length === 0) return;
  if (!isPrepared(target))
    throw new DataError(
      `${target} exists, is not empty and is no prepared data set (no ${SUMMARY} of ours), so it is not replaced. ` +
        `Choose another output folder.`,
    );
  if (!force)
    throw new DataError(`${target} holds a prepared data set already. Choose another folder, or --force.`);
}

function isPrepared(folder: string): boolean {
  try {
    const summary = JSON.parse(readFileSync(join(folder, SUMMARY), "utf8")) as { format?: unknown } | null;
    return summary?.format === FORMAT;
  } catch {
    return false;
  }
}

/**
 * Lets `fill` write into a temporary folder beside `target` and renames it at the end; after any failure nothing is left.
 * Errors: those of `checkTarget` and of `writeWholeFolder`.
 */
export const writeNewFolder = (
  target: string,
  { signal, ...options }: TargetOptions & { readonly signal?: AbortSignal | undefined },
  fill: (folder: string) => Promise<void>,
): Promise<void> =>
  writeWholeFolder(
    target,
    { check: () => checkTarget(target, options), failure: `${target} cannot be written`, signal },
    fill,
  );
