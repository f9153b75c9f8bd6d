/**
 * References to pictures: the absolute path of a file, or "ABSOLUTE PATH OF X.parquet#ROW" for the picture in a row (from 0)
 * of a parquet file. Everything that needs the bytes of a picture asks `readImage`.
 */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError } from "../torch/errors.ts";
import { readPaths } from "./parquet/columns.ts";
import { type ImageColumn, imageColumn } from "./parquet/image-column.ts";
import { readRowBytes } from "./parquet/pages.ts";
import { openParquet, type ParquetFile, rowCount, stampOf } from "./parquet/parquet-file.ts";
import { pathInside } from "./source/inside.ts";

/** The reference of a row of a parquet file. */
export const parquetRef = (path: string, row: number): string => `${path}#${row}`;

function parse(ref: string): { path: string; row: number } | undefined {
  if (!ref.includes(".parquet#")) return undefined;
  const [, path, row] = /^(.*\.parquet)#(\d+)$/s.exec(ref) ?? [];
  return path === undefined ? undefined : { path, row: Number(row) };
}

/** Whether the picture lies in a parquet file. */
export const isParquetRef = (ref: string): boolean => parse(ref) !== undefined;

/** The file on the disk that holds the picture. */
export const imageFile = (ref: string): string => parse(ref)?.path ?? ref;

/**
 * The encoded picture, as it lies in its file.
 * Errors: DataError naming the reference when the file is missing or damaged, or the row holds no picture.
 */
export async function readImage(ref: string): Promise<Uint8Array> {
  const place = parse(ref);
  if (place) return readParquetImage(ref, place);
  try {
    return await readFile(ref);
  } catch (cause) {
    throw new DataError(`${ref} cannot be read: ${(cause as Error).message}. Put the picture back.`, {
      cause,
    });
  }
}

interface OpenFile extends ParquetFile {
  readonly image: ImageColumn;
  paths?: readonly (string | null)[];
}

/** Footers kept; each is a few kilobytes for thousands of pictures. */
const MOST_OPEN = 256;
const opened = new Map<string, OpenFile>();

function openAgain(path: string): OpenFile {
  const before = opened.get(path);
  if (before?.stamp === stampOf(path)) return before;
  const file = openParquet(path);
  const found = { ...file, image: imageColumn(file) };
  opened.delete(path);
  opened.set(path, found);
  for (const oldest of opened.keys()) {
    if (opened.size <= MOST_OPEN) break;
    opened.delete(oldest);
  }
  return found;
}

async function readParquetImage(
  ref: string,
  { path, row }: { path: string; row: number },
): Promise<Uint8Array> {
  const file = openAgain(path);
  const rows = rowCount(file);
  if (row >= rows) throw new DataError(`${ref}: the file has ${rows} rows; expected a row below that.`);
  const bytes = file.image.bytes && (await readRowBytes(file, file.image.bytes, row));
  if (bytes) return bytes;
  const beside = (file.paths ??= readPaths(file))[row];
  if (beside == null)
    throw new DataError(
      `${ref} holds no picture in column "${file.image.name}". Write the bytes of every picture, or leave the row out.`,
    );
  const folder = dirname(path);
  const picture = pathInside(folder, beside);
  if (picture === undefined)
    throw new DataError(
      `${ref}: path "${beside}" leads out of ${folder}. Write the bytes of the picture into the file.`,
    );
  return readImage(picture);
}
