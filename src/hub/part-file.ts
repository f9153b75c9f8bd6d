// A file that is still growing (.incomplete), and the hash of what it holds so far.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

/** What the finished file must hash to: a SHA-256 (or its first digits), or the SHA-1 under which git stores a file of this size. */
export type Checksum =
  | { readonly algorithm: "sha256"; readonly hex: string }
  | { readonly algorithm: "git-sha1"; readonly hex: string; readonly size: number };

export interface PartFile extends AsyncDisposable {
  readonly size: number;
  readonly append: (chunk: Uint8Array) => Promise<void>;
  /** Drops everything. */
  readonly restart: () => Promise<void>;
  /** Flushes to the disk and gives the hash (hexadecimal) of all bytes. */
  readonly finish: () => Promise<string>;
}

/** Hash to be fed with the file's bytes; SHA-256 where nothing is to be compared. */
export function hashFor(checksum: Checksum | undefined): Hash {
  if (checksum?.algorithm !== "git-sha1") return createHash("sha256");
  return createHash("sha1").update(`blob ${checksum.size}\0`);
}

/** Opens or makes the file; what it holds already is read once for the hash. Throws the system's errors, or the signal's reason. */
export async function openPart(
  path: string,
  checksum: Checksum | undefined,
  signal: AbortSignal | undefined,
): Promise<PartFile> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a");
  let size = 0;
  let hash = hashFor(checksum);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    get size() {
      return size;
    },
    async append(chunk) {
      for (let done = 0; done < chunk.length;)
        done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
      hash.update(chunk);
      size += chunk.length;
    },
    async restart() {
      await file.truncate(0);
      size = 0;
      hash = hashFor(checksum);
    },
    async finish() {
      await file.sync();
      return hash.copy().digest("hex");
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** Hash (hexadecimal) of a finished file, as `checksum` counts it. */
export async function hashOf(path: string, checksum?: Checksum, signal?: AbortSignal): Promise<string> {
  const hash = hashFor(checksum);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}
