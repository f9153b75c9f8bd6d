// One file of a row cache: float32 rows of one shape, a key for each, and a hash over all of it in the file's header.
// The file appears whole or not at all, is never changed afterwards, and bears the name of its content: two processes that
// write the same rows write the same file, and others never meet.
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "../../checkpoint/index.ts";
import { CheckpointError, InvDiffError, type Tensor, UserError } from "../../torch/index.ts";

const NAME = /^[0-9a-f]{32}\.safetensors$/;
const KEY = /^[0-9a-f]{64}f?$/;
const ROWS = "rows";

/** Rows of a file at most; a location packs both numbers (row-store.ts). */
export const MAX_SHARD_ROWS = 1024;

/** Rows with their keys, mapped from a file. */
export interface Shard {
  readonly path: string;
  readonly keys: readonly string[];
  /** float32 [keys, ...]; no scope owns it. */
  readonly rows: Tensor;
  /** The byte of the file at which the rows begin. */
  readonly begin: number;
}

export const isShardName = (name: string): boolean => NAME.test(name);

/** Hash over the keys, the shape and the values. */
function digestOf(keys: readonly string[], rows: Tensor): string {
  const hash = createHash("sha256").update(JSON.stringify({ keys, shape: rows.shape }));
  rows.withBytes((bytes) => hash.update(bytes));
  return hash.digest("hex");
}

/** Writes contiguous float32 rows [keys, ...] of the CPU into a folder; gives the path. Errors: the system's, such as a full disk. */
export function writeShard(folder: string, keys: readonly string[], rows: Tensor): string {
  const fits = rows.dtype === "float32" && rows.shape[0] === keys.length && keys.length <= MAX_SHARD_ROWS;
  if (!fits || !keys.every((key) => KEY.test(key)))
    throw new InvDiffError(
      `A shard was given ${keys.length} keys for ${rows.dtype} [${rows.shape.join(", ")}]; expected a SHA-256 for each of at most ${MAX_SHARD_ROWS} float32 rows.`,
    );
  const sha256 = digestOf(keys, rows);
  const path = join(folder, `${sha256.slice(0, 32)}.safetensors`);
  writeSafetensors(path, { [ROWS]: rows }, { format: "pt", keys: keys.join(" "), sha256 });
  return path;
}

/**
 * Maps a file and compares its hash; undefined when it is damaged, or gone.
 * Errors: UserError when it cannot be opened for another reason, such as missing rights.
 */
export function openShard(path: string): Shard | undefined {
  if (!canOpen(path)) return undefined;
  let found: Shard | undefined;
  try {
    found = mapShard(path);
    return found;
  } catch (error) {
    if (error instanceof CheckpointError) return undefined;
    throw error;
  }
}

function mapShard(path: string): Shard | undefined {
  const { metadata, tensors: entries } = readSafetensorsHeader(path);
  const entry = entries.get(ROWS);
  const keys = (metadata["keys"] ?? "").split(" ");
  if (entries.size !== 1 || entry?.dtype !== "float32" || entry.shape[0] !== keys.length) return undefined;
  if (keys.length > MAX_SHARD_ROWS || !keys.every((key) => KEY.test(key))) return undefined;
  const rows = readSafetensors(path).get(ROWS)!;
  if (digestOf(keys, rows) === metadata["sha256"]) return { path, keys, rows, begin: entry.begin };
  rows.dispose();
  return undefined;
}

function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // Another process found it damaged and removed it.
    if (code === "ENOENT") return false;
    throw new UserError(`${path} of the cache cannot be read: ${message}. Check the rights of the folder.`, {
      cause,
    });
  }
}
