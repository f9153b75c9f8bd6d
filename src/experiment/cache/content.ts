// Pictures by what their files hold: the key of a cache, and the proof that a file is still the one that was meant.
import { DataError } from "../../torch/index.ts";
import { readImage } from "../../data/image-ref.ts";
import { inParallel } from "../../data/in-parallel.ts";
import { FILES_AT_ONCE, knownHash, type KnownHashes, sha256 } from "../hash.ts";

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
  let done = 0;
  await inParallel(files.length, { limit: FILES_AT_ONCE, signal }, async (i) => {
    hashes[i] = await knownHash(files[i]!, known);
    onProgress?.(++done, files.length);
  });
  return hashes;
}

/** The bytes of a picture with this hash. Errors: DataError when it is missing or holds something else now. */
export async function readContent(file: string, hash: string): Promise<Uint8Array> {
  const bytes = await readImage(file);
  if (sha256(bytes) !== hash)
    throw new DataError(
      `${file} has changed since the images were looked at. Put the picture back, or start the run again to take the new one.`,
    );
  return bytes;
}
