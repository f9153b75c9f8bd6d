// A full disk in words: which folder, how much is free, what to do.
import { bytesText, freeDiskBytes } from "../torch/disk.ts";
import { UserError } from "../torch/errors.ts";

export { bytesText, freeDiskBytes };

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
