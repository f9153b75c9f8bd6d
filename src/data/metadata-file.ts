/**
 * Finds and parses the metadata.jsonl of an image folder (the Hugging Face "imagefolder" layout).
 * Internal to this folder: stages read pictures through image-folder.ts, evaluation reads columns through evaluation-columns.ts.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { DataError } from "../torch/index.ts";

export const metadataName = "metadata.jsonl";

const example =
  'one JSON object per line, such as {"file_name": "0001.png", "text": "a photo of a waterbird"}';

/** One line of metadata.jsonl. */
export interface MetadataRow {
  /** The file_name as written; unique in its folder. */
  readonly id: string;
  /** Absolute path of the picture. */
  readonly file: string;
  /** "FILE, line N", for error messages. */
  readonly where: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface FolderOptions {
  /** Sub-folder to read, such as "train" or "validation"; without it the folder itself, or its train/. */
  readonly split?: string | undefined;
}

/** Every row of the folder's metadata.jsonl, checked for unique names inside the folder. */
export function readMetadata(path: string, { split }: FolderOptions = {}): MetadataRow[] {
  const folder = findFolder(path, split);
  const file = join(folder, metadataName);
  const rows: MetadataRow[] = [];
  const seen = new Map<string, string>();
  readText(file)
    .split("\n")
    .forEach((text, i) => {
      if (text.trim() === "") return;
      const row = parseRow(text, `${file}, line ${i + 1}`, folder);
      const before = seen.get(row.file);
      if (before !== undefined)
        throw new DataError(
          `${row.where}: "${row.id}" was listed before (${before}). List every picture once.`,
        );
      seen.set(row.file, `line ${i + 1}`);
      rows.push(row);
    });
  if (rows.length === 0) throw new DataError(`${file} lists no pictures. Expected ${example}.`);
  return rows;
}

function findFolder(path: string, split: string | undefined): string {
  const root = resolve(path);
  const kind = statSync(root, { throwIfNoEntry: false });
  if (!kind)
    throw new DataError(`There is no folder ${path}. Give a folder of images with a ${metadataName}.`);
  if (!kind.isDirectory())
    throw new DataError(`${path} is not a folder. Give a folder of images with a ${metadataName}.`);
  if (split !== undefined) {
    if (existsSync(join(root, split, metadataName))) return join(root, split);
    throw new DataError(`There is no ${join(path, split, metadataName)}. Expected ${example}.`);
  }
  for (const folder of [root, join(root, "train")]) if (existsSync(join(folder, metadataName))) return folder;
  throw new DataError(`There is no ${metadataName} in ${path} (nor in its train/). Expected ${example}.`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    throw new DataError(`${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

function parseRow(text: string, where: string, folder: string): MetadataRow {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw new DataError(`${where} is not valid JSON (${(cause as Error).message}). Expected ${example}.`, {
      cause,
    });
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields))
    throw new DataError(`${where} is not a JSON object. Expected ${example}.`);
  const id = (fields as Record<string, unknown>)["file_name"];
  if (typeof id !== "string" || id.trim() === "")
    throw new DataError(`${where} has no "file_name". Expected ${example}.`);
  const file = resolve(folder, id);
  const inside = relative(folder, file);
  if (
    isAbsolute(id) ||
    inside === "" ||
    inside === ".." ||
    inside.startsWith(`..${sep}`) ||
    isAbsolute(inside)
  )
    throw new DataError(
      `${where}: file_name "${id}" leads out of ${folder}. Give a path relative to the folder, inside it.`,
    );
  return { id, file, where, fields: fields as Record<string, unknown> };
}
