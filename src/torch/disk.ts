// Disk space: how much is free, and sizes in words.
import { existsSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";

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
