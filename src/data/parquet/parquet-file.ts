/**
 * The footer of a parquet file: what columns there are and where their values lie.
 * https://parquet.apache.org/docs/file-format/. Read synchronously, as metadata of pictures is; hyparquet decodes.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { parquetMetadata, parquetSchema, type FileMetaData, type SchemaTree } from "hyparquet";
import { DataError } from "../../torch/errors.ts";

export interface ParquetFile {
  /** Absolute. */
  readonly path: string;
  /** Changes when the file does. */
  readonly stamp: string;
  /** Number of rows before each row group, and after the last one. */
  readonly groupStarts: readonly number[];
  readonly metadata: FileMetaData;
  readonly schema: SchemaTree;
}

/** Values of one leaf column in one row group. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly column: NonNullable<FileMetaData["row_groups"][number]["columns"][number]["meta_data"]>;
}

/** A footer beyond this is damage; a thousand columns and row groups need less. */
const MOST_FOOTER_BYTES = 2 ** 28;
/** Run lengths let a few bytes claim any number of rows. */
const MOST_ROWS = 100_000_000;
const MAGIC = 0x31524150; // "PAR1"

/** Size and times of a file, to notice that it was replaced. */
export function stampOf(path: string): string {
  const { size, mtimeMs, ino } = readable(path, () => statSync(path));
  return `${size} ${mtimeMs} ${ino}`;
}

/** Reads the footer. Errors: DataError when the file is missing, cut off or no parquet. */
export function openParquet(path: string): ParquetFile {
  const stamp = stampOf(path);
  return readable(path, () => {
    const size = statSync(path).size;
    if (size < 12) throw new Error(`it has ${size} bytes`);
    const tail = new DataView(readBytes(path, size - 8, size));
    if (tail.getUint32(4, true) !== MAGIC) throw new Error("its end is missing");
    const length = tail.getUint32(0, true);
    if (length > size - 12 || length > MOST_FOOTER_BYTES)
      throw new Error(`it announces ${length} bytes of metadata in ${size} bytes`);
    const footer = new Uint8Array(readBytes(path, size - 8 - length, size));
    const metadata = parquetMetadata(footer, { geoparquet: false });
    const groupStarts = [0];
    for (const { num_rows } of metadata.row_groups) {
      const next = groupStarts.at(-1)! + Number(num_rows);
      if (!(Number(num_rows) >= 0 && next <= MOST_ROWS)) throw new Error(`it claims ${next} rows`);
      groupStarts.push(next);
    }
    return { path, stamp, metadata, groupStarts, schema: parquetSchema(metadata) };
  });
}

export const rowCount = ({ groupStarts }: ParquetFile): number => groupStarts.at(-1)!;

/** Where a leaf's values lie in each row group. Errors: DataError when they lie outside the file. */
export function chunkOf(file: ParquetFile, group: number, leaf: SchemaTree): Chunk {
  const { path, metadata } = file;
  return readable(path, () => {
    const name = leaf.path.join(".");
    const column = metadata.row_groups[group]!.columns.find(
      ({ meta_data }) => meta_data?.path_in_schema.join(".") === name,
    )?.meta_data;
    if (!column) throw new Error(`column ${name} is missing from row group ${group}`);
    const data = Number(column.data_page_offset);
    const dictionary = Number(column.dictionary_page_offset ?? 0);
    // Some writers leave the dictionary's place at 0.
    const start = dictionary > 0 && dictionary < data ? dictionary : data;
    const end = start + Number(column.total_compressed_size);
    const size = Number(file.stamp.split(" ")[0]);
    if (!(start >= 4 && end > start && end <= size - 8))
      throw new Error(`column ${name} lies at ${start} to ${end} of ${size} bytes`);
    return { start, end, column };
  });
}

/** Bytes from `start` to `end`. Errors: of the file system, or when there are fewer. */
export function readBytes(path: string, start: number, end: number): ArrayBuffer {
  const bytes = new ArrayBuffer(end - start);
  const file = openSync(path, "r");
  try {
    let done = 0;
    while (done < end - start) {
      const count = readSync(file, new Uint8Array(bytes), done, end - start - done, start + done);
      if (count === 0) throw new Error(`it ends ${end - start - done} bytes early`);
      done += count;
    }
  } finally {
    closeSync(file);
  }
  return bytes;
}

/** Runs `read`; whatever fails is the file's fault, for hyparquet trusts what it is given. */
export function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** The error for a file that cannot be read. */
export function unreadable(path: string, cause: unknown): DataError {
  if (cause instanceof DataError) return cause;
  const reason = (cause as Error).message.replace(/\.$/, "");
  return new DataError(
    `${path} cannot be read as a parquet file: ${reason}. It may be incomplete; get it again, or write it anew.`,
    { cause },
  );
}
