// How much a zip may hold: against bombs, which are small files that unpack to fill a disk.
import { bytesText } from "../../torch/disk.ts";
import { DownloadError } from "../errors.ts";

export interface ZipLimits {
  /** Files and folders. */
  readonly entries: number;
  /** Bytes of all files together. */
  readonly bytes: number;
  /** Unpacked bytes per byte of the zip; counted only above RATIO_FROM bytes, since small texts shrink much. */
  readonly ratio: number;
}

/** CelebA has 202,599 files; pictures and weights hardly shrink at all. */
export const DEFAULT_LIMITS: ZipLimits = { entries: 1_000_000, bytes: 200e9, ratio: 100 };

export const RATIO_FROM = 10_000_000;

/** Throws DownloadError when the sum of what the zip announces goes beyond a limit. */
export function checkLimits(
  zip: string,
  found: {
    readonly entries: number;
    readonly bytes: number;
    readonly packed: number;
    readonly zipBytes: number;
  },
  limits: ZipLimits,
): void {
  const { entries, bytes, packed, zipBytes } = found;
  const refuse = (what: string): never => {
    throw new DownloadError(
      `${zip} ${what}; refused, as it could fill the disk. If you trust it, raise the limit.`,
    );
  };
  if (entries > limits.entries) refuse(`has ${entries} entries, more than ${limits.entries}`);
  if (bytes > limits.bytes) refuse(`unpacks to ${bytesText(bytes)}, more than ${bytesText(limits.bytes)}`);
  if (packed > zipBytes)
    refuse(`has entries that share their bytes (${bytesText(packed)} in a file of ${bytesText(zipBytes)})`);
  if (bytes > RATIO_FROM && bytes > limits.ratio * zipBytes)
    refuse(
      `unpacks to ${bytesText(bytes)}, ${Math.round(bytes / zipBytes)} times its size (limit ${limits.ratio})`,
    );
}
