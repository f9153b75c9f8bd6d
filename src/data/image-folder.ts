/**
 * A user's image folder: pictures and captions, and nothing else.
 * Further columns of metadata.jsonl (the hidden attribute among them) are deliberately out of reach here:
 * only the evaluation may read them, through evaluation-columns.ts.
 */
import { statSync } from "node:fs";
import { DataError } from "../torch/index.ts";
import { readMetadata, type FolderOptions, type MetadataRow } from "./metadata-file.ts";

/** One picture with its caption. */
export interface ImageItem {
  /** The file_name in metadata.jsonl; unique in the folder. */
  readonly id: string;
  /** Absolute path of the picture. */
  readonly file: string;
  readonly caption: string;
}

export interface ImageFolder {
  /** In the order of metadata.jsonl; never empty. */
  readonly items: readonly ImageItem[];
}

export interface ImageFolderOptions extends FolderOptions {
  /** Column with the caption; without it "text", or else "caption". */
  readonly captionColumn?: string | undefined;
}

/**
 * Opens a folder with metadata.jsonl (keys file_name and text or caption), or its train/ or the given split.
 * Errors: DataError that names file and line for everything missing, broken, doubled or outside the folder.
 */
export function openImageFolder(path: string, options: ImageFolderOptions = {}): ImageFolder {
  const items = readMetadata(path, options).map((row) => {
    const caption = captionOf(row, options.captionColumn);
    if (!statSync(row.file, { throwIfNoEntry: false })?.isFile())
      throw new DataError(
        `${row.where}: there is no image file ${row.file}. Add the file or remove the line.`,
      );
    return { id: row.id, file: row.file, caption };
  });
  return { items };
}

function captionOf({ fields, id, where }: MetadataRow, column: string | undefined): string {
  const name = column ?? ("text" in fields ? "text" : "caption");
  const caption = fields[name];
  const wanted = column === undefined ? '"text" or "caption"' : `"${column}"`;
  if (caption === undefined || caption === null)
    throw new DataError(`${where}: "${id}" has no caption. Expected a string under ${wanted}.`);
  if (typeof caption !== "string")
    throw new DataError(`${where}: the caption of "${id}" is not text. Expected a string under ${wanted}.`);
  if (caption.trim() === "")
    throw new DataError(
      `${where}: the caption of "${id}" is empty. Write what the picture shows under ${wanted}.`,
    );
  return caption;
}
