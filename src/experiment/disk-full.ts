// A full disk in words: which folder, how much is free, what to do.
import { existsSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../torch/errors.ts";

/** Free bytes for this user on the disk of `path` (of its nearest existing parent); undefined where unknown. */
export function freeDiskBytes(path: string): number | undefined {
  let folder = resolve(path);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** "3.2 GB", "12 MB". */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power > 0 && value < 10 ? 1 : 0)} ${units[power]}`;
}

/** True when the error, or one that caused it, says that the disk (or the user's share of it) is full. */
export function isDiskFull(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (
      code === "ENOSPC" ||
      code === "EDQUOT" ||
      /no space left on device|disk quota exceeded/i.test(message)
    )
      return true;
  }
  return false;
}

/** The error to show when a stage met a full disk while it wrote `folder`. */
export function diskFullError(
  error: unknown,
  { stage, folder }: { stage: string; folder: string },
): UserError {
  const free = freeDiskBytes(folder);
  const left = free === undefined ? "" : ` (${bytesText(free)} free now)`;
  return new UserError(
    `The disk is full: stage ${stage} could not write to ${folder}${left}. Nothing finished is lost. ` +
      `Free some disk space and start the same command again; it goes on from here. ` +
      `Or choose an output folder on another disk.`,
    { cause: error },
  );
}
