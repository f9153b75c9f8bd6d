/**
 * A user's data set, however it is stored: pictures and captions, and nothing else.
 * Further columns of its metadata (the hidden attribute among them) are deliberately out of reach here:
 * only the evaluation may read them, through evaluation-columns.ts and dataset.ts.
 */
import { DataError } from "../torch/index.ts";
import { Random } from "./random.ts";
import { captionsOf, noCaption } from "./source/captions.ts";
import { readSource } from "./source/read-source.ts";
import type { SourceOptions } from "./source/source-row.ts";

/** One picture with what it shows in words. */
export interface ImageItem {
  /** The name of the picture in its folder or parquet file; unique in the data set. */
  readonly id: string;
  /** Where the picture is, for `readImage`: an absolute path, or a row of a parquet file. */
  readonly file: string;
  /** At least one; a training step takes one of them at random. */
  readonly captions: readonly string[];
  /** The first caption. */
  readonly caption: string;
}

export interface ImageFolder {
  /** In the order of the metadata, or of the names; never empty. */
  readonly items: readonly ImageItem[];
}

export interface ImageFolderOptions extends SourceOptions {
  /** Column with the caption or a list of captions; without it "text", or else "caption". */
  readonly captionColumn?: string | undefined;
}

/**
 * Opens a folder of pictures with metadata.jsonl, metadata.csv, caption files or class folders, or of parquet files: the
 * given split, or the train split where there are several.
 * Errors: DataError that names file and line for everything missing, broken, doubled or outside the folder.
 */
export function openImageFolder(path: string, options: ImageFolderOptions = {}): ImageFolder {
  const { rows, exists } = readSource(path, options);
  const items = rows.map((row) => {
    const { id, file, where } = row;
    const captions = captionsOf(row, options.captionColumn);
    const [caption] = captions;
    if (caption === undefined) throw noCaption(row, options.captionColumn);
    if (!exists(row))
      throw new DataError(`${where}: there is no image file ${file}. Add the file or remove the line.`);
    return { id, file, captions, caption };
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
