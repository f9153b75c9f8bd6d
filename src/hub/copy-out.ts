// A downloaded snapshot as an ordinary folder: copies, so that changing them leaves the cache as it is.
import { constants, existsSync, statSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { temporaryName } from "../torch/atomic-file.ts";
import { checkRoom } from "./disk-room.ts";
import { DownloadError } from "./errors.ts";
import { hashOf } from "./part-file.ts";

/**
 * Copies files (relative, with "/") from a snapshot to `to`; equal ones stay as they are.
 * Throws DownloadError before anything is copied when other files are in the way and not `force`.
 */
export async function copyOut(
  { path, files }: { readonly path: string; readonly files: readonly string[] },
  to: string,
  { force = false, signal }: { force?: boolean | undefined; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const wanted: { readonly from: string; readonly target: string }[] = [];
  const inTheWay: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const [from, target] = [join(path, file), join(to, file)];
    if (await isEqual(from, target, signal)) continue;
    if (existsSync(target)) inTheWay.push(file);
    wanted.push({ from, target });
    bytes += statSync(from).size;
  }
  if (inTheWay.length > 0 && !force)
    throw new DownloadError(
      `${to} has other files of these names: ${inTheWay.slice(0, 4).join(", ")}. Choose another folder, or replace them with --force.`,
    );
  checkRoom(to, bytes, `the copy of ${path}`);
  for (const { from, target } of wanted) {
    signal?.throwIfAborted();
    await mkdir(dirname(target), { recursive: true });
    const temporary = temporaryName(target);
    try {
      // Where the file system can, both share their bytes until one is changed.
      await copyFile(from, temporary, constants.COPYFILE_FICLONE);
      await rename(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

async function isEqual(a: string, b: string, signal: AbortSignal | undefined): Promise<boolean> {
  const found = statSync(b, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.size !== statSync(a).size) return false;
  return (await hashOf(a, undefined, signal)) === (await hashOf(b, undefined, signal));
}
