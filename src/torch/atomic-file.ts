// Files appear whole or not at all: written beside the target, flushed, renamed.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A sibling name for unfinished output of `path`; unique per process so that two writers never share it. */
export const temporaryName = (path: string): string => `${path}.tmp-${process.pid}`;

/**
 * Writes a file so that a reader sees either the old content or the whole new one.
 * Throws the system's own error (ENOSPC, EACCES, ...) after removing the temporary file.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    const fd = openSync(temporary, "w");
    try {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
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

/** Removes a folder and everything in it; a missing one is fine. */
export const removeDir = (path: string): void => rmSync(path, { recursive: true, force: true });
