// Fingerprints (SHA-256, hexadecimal) of files, folders and values: what a stage's result depends on.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { imageFile, isParquetRef, readImage } from "../data/image-ref.ts";
import { inParallel } from "../data/in-parallel.ts";
import { InvDiffError, UserError } from "../torch/errors.ts";

/** SHA-256 of bytes, or of a text as UTF-8. */
export const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

/** Files read at once: small ones wait for the disk, not for the processor. */
export const FILES_AT_ONCE = 8;

/** SHA-256 of a file's content, read in pieces so that its size does not matter. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
  } catch (cause) {
    throw new UserError(`${path} cannot be read: ${(cause as Error).message}.`, { cause });
  }
  return hash.digest("hex");
}

/** Hashes of files seen before, each with the size and time of the file then. */
export type KnownHashes = Map<string, { readonly stamp: string; readonly hash: string }>;

/**
 * `hashFile`, which reads only a file that is new to `known` or has changed since; what is hashed is added. `path` may also
 * be a reference to a picture in a parquet file, whose bytes alone are hashed.
 */
export async function knownHash(path: string, known: KnownHashes): Promise<string> {
  const found = await stat(imageFile(path)).catch(() => undefined);
  const stamp = found ? `${found.size} ${found.mtimeMs} ${found.ino}` : "";
  const before = known.get(path);
  if (before?.stamp === stamp) return before.hash;
  const hash = isParquetRef(path) ? sha256(await readImage(path)) : await hashFile(path);
  known.set(path, { stamp, hash });
  return hash;
}

/** Several stages depend on the same gigabytes of a model folder, and each run plans them more than once. */
const folderFiles: KnownHashes = new Map();

/**
 * SHA-256 of a folder: names relative to it (with "/") and contents of all files, in the order of names.
 * Times, rights and empty folders do not count. `skip` leaves out files by relative name.
 */
export async function hashFolder(
  path: string,
  { skip = () => false }: { skip?: (name: string) => boolean } = {},
): Promise<string> {
  const names = (await filesBelow(path)).filter((name) => !skip(name)).sort();
  const digests = new Array<string>(names.length);
  await inParallel(names.length, { limit: FILES_AT_ONCE }, async (i) => {
    digests[i] = await knownHash(join(path, names[i]!), folderFiles);
  });
  const hash = createHash("sha256");
  names.forEach((name, i) => hash.update(`${name}\0${digests[i]}\n`));
  return hash.digest("hex");
}

async function filesBelow(path: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (cause) {
    throw new UserError(`${path} cannot be read as a folder: ${(cause as Error).message}.`, { cause });
  }
  const lists = await Promise.all(
    entries.map(async (entry) => {
      const full = join(path, entry.name);
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await stat(full)).isDirectory());
      return isFolder ? (await filesBelow(full)).map((name) => `${entry.name}/${name}`) : [entry.name];
    }),
  );
  return lists.flat();
}

/** JSON with sorted keys and no spaces; keys with `undefined` are left out. Errors: values that JSON cannot hold. */
export function canonicalJson(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new InvDiffError(`${value} has no JSON form; expected a finite number.`);
  if (value === null || typeof value === "number" || typeof value === "boolean" || typeof value === "string")
    return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object")
    throw new InvDiffError(`a ${typeof value} has no JSON form; expected plain data.`);
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
  return `{${entries.join(",")}}`;
}

/** SHA-256 of a value's canonical JSON. */
export const hashJson = (value: unknown): string => sha256(canonicalJson(value));
