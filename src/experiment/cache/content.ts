// Pictures by what their files hold: the key of a cache, and the proof that a file is still the one that was meant.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { DataError } from "../../torch/index.ts";
import { hashFile } from "../hash.ts";

export const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

/** Hashes of files seen before, each with the size and time of the file then. */
export type KnownHashes = Map<string, { readonly stamp: string; readonly hash: string }>;

export interface HashFilesOptions {
  /** Files that are as they were are not read again; what is hashed is added. */
  readonly known?: KnownHashes | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** SHA-256 of each file's bytes, several read at a time. Errors: UserError naming the file; the signal's reason. */
export async function hashFiles(
  files: readonly string[],
  { known = new Map(), signal, onProgress }: HashFilesOptions = {},
): Promise<string[]> {
  const hashes = new Array<string>(files.length);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    try {
      for (let i = next++; i < files.length; i = next++) {
        signal?.throwIfAborted();
        hashes[i] = await knownHash(files[i]!, known);
        onProgress?.(++done, files.length);
      }
    } catch (error) {
      // The others stop after their file.
      next = files.length;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return hashes;
}

async function knownHash(file: string, known: KnownHashes): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  const stamp = found ? `${found.size} ${found.mtimeMs} ${found.ino}` : "";
  const before = known.get(file);
  if (before?.stamp === stamp) return before.hash;
  const hash = await hashFile(file);
  known.set(file, { stamp, hash });
  return hash;
}

/** The bytes of a file with this hash. Errors: DataError when it is missing or holds something else now. */
export async function readContent(file: string, hash: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new DataError(`${file} cannot be read: ${(cause as Error).message}. Put the picture back.`, {
      cause,
    });
  }
  if (sha256(bytes) !== hash)
    throw new DataError(
      `${file} has changed since the images were looked at. Put the picture back, or start the run again to take the new one.`,
    );
  return bytes;
}
