// Fingerprints (SHA-256, hexadecimal) of files, folders and values: what a stage's result depends on.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { InvDiffError, UserError } from "../torch/errors.ts";

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
  let next = 0;
  // A few files at a time: small ones wait for the disk, not for the processor.
  const work = async () => {
    for (let i = next++; i < names.length; i = next++)
      digests[i] = await hashFile(join(path, names[i] ?? ""));
  };
  await Promise.all(Array.from({ length: 8 }, work));
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
export const hashJson = (value: unknown): string =>
  createHash("sha256").update(canonicalJson(value)).digest("hex");
