// Whether what is about to be written has room on its disk.
import { bytesText, freeDiskBytes } from "../torch/disk.ts";
import { DownloadError } from "./errors.ts";

/** Throws DownloadError when `bytes` more do not fit on the disk of `path`. */
export function checkRoom(path: string, bytes: number, what: string, free = freeDiskBytes(path)): void {
  if (free === undefined || bytes <= free) return;
  throw new DownloadError(
    `${what} needs ${bytesText(bytes)} more at ${path}, where ${bytesText(free)} are free. ` +
      `Free some space, or choose a place on another disk (HF_HOME for the cache, --to for folders).`,
  );
}
