/**
 * A user's image folder: pictures and captions, and nothing else.
 * Further columns of metadata.jsonl (the hidden attribute among them) are deliberately out of reach here:
 * only the evaluation may read them, through evaluation-columns.ts.
 */
import { statSync } from "node:fs";
import { DataError } from "../torch/index.ts";
import { readMetadata, type FolderOptions, type MetadataRow } from "./metadata-file.ts";
import { Random } from "./random.ts";

/** One picture with what it shows in words. */
export interface ImageItem {
  /** The file_name in metadata.jsonl; unique in the folder. */
  readonly id: string;
  /** Absolute path of the picture. */
  readonly file: string;
  /** At least one; a training step takes one of them at random. */
  readonly captions: readonly string[];
  /** The first caption. */
  readonly caption: string;
}

export interface ImageFolder {
  /** In the order of metadata.jsonl; never empty. */
  readonly items: readonly ImageItem[];
}

export interface ImageFolderOptions extends FolderOptions {
  /** Column with the caption or a list of captions; without it "text", or else "caption". */
  readonly captionColumn?: string | undefined;
}

/**
 * Opens a folder with metadata.jsonl (keys file_name and text or caption), or its train/ or the given split.
 * Errors: DataError that names file and line for everything missing, broken, doubled or outside the folder.
 */
export function openImageFolder(path: string, options: ImageFolderOptions = {}): ImageFolder {
  const items = readMetadata(path, options).map((row) => {
    const captions = captionsOf(row, options.captionColumn);
    if (!statSync(row.file, { throwIfNoEntry: false })?.isFile())
      throw new DataError(
        `${row.where}: there is no image file ${row.file}. Add the file or remove the line.`,
      );
    return { id: row.id, file: row.file, captions, caption: captions[0]! };
  });
  return { items };
}

/**
 * At most `count` of the items, drawn without replacement by `seed`, in the order in which they were given.
 * Errors: DataError for a count that is no whole number of at least 1.
 */
export function drawItems<T>(items: readonly T[], count: number, seed: number): readonly T[] {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new DataError(`${count} images were asked for; expected a whole number of at least 1.`);
  if (count >= items.length) return items;
  const order = Int32Array.from(items, (_, i) => i);
  const chosen = new Random("draw-items", seed).shuffle(order).subarray(0, count).sort();
  return Array.from(chosen, (i) => items[i]!);
}

function captionsOf({ fields, id, where }: MetadataRow, column: string | undefined): string[] {
  const name = column ?? ("text" in fields ? "text" : "caption");
  const value = fields[name];
  const wanted = `under ${column === undefined ? '"text" or "caption"' : `"${column}"`}`;
  if (value === undefined || value === null)
    throw new DataError(
      `${where}: "${id}" has no caption. Expected a string or a list of strings ${wanted}.`,
    );
  const isList = Array.isArray(value);
  const captions: readonly unknown[] = isList ? value : [value];
  if (captions.length === 0)
    throw new DataError(
      `${where}: the list of captions of "${id}" is empty. Expected at least one ${wanted}.`,
    );
  return captions.map((caption, i) => {
    const which = isList ? `caption ${i + 1} of "${id}"` : `the caption of "${id}"`;
    if (typeof caption !== "string")
      throw new DataError(
        `${where}: ${which} is not text. Expected a string or a list of strings ${wanted}.`,
      );
    if (caption.trim() === "")
      throw new DataError(`${where}: ${which} is empty. Write what the picture shows ${wanted}.`);
    return caption;
  });
}
