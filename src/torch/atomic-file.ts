// Files appear whole or not at all: written beside the target, flushed, renamed.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A sibling name for unfinished output of `path`; unique per process so that two writers never share it. */
export const temporaryName = (path: string): string => `${path}.tmp-${process.pid}`;

/** False when no process has the id of a temporary name any more; one of another user counts as alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Writes all bytes; one call of the system may take only a part. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

/**
 * Writes a file through `fill` so that a reader sees either the old content or the whole new one.
 * Throws the system's own error (ENOSPC, EACCES, ...) after removing the temporary file.
 */
export function writeAtomically(path: string, fill: (fd: number) => void): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    const fd = openSync(temporary, "w");
    try {
      fill(fd);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** `writeAtomically` for content that is at hand. */
export const writeFileAtomic = (path: string, data: string | Uint8Array): void =>
  writeAtomically(path, (fd) => writeAll(fd, typeof data === "string" ? Buffer.from(data) : data));

/** Removes a folder and everything in it; a missing one is fine. */
export const removeDir = (path: string): void => rmSync(path, { recursive: true, force: true });
