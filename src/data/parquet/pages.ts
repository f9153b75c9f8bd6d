/**
 * Single pictures of a parquet file. A column of pictures comes in pages of about a megabyte; only the page that holds the
 * picture is read, and the pages used last are kept.
 */
import { open, type FileHandle } from "node:fs/promises";
import type { DecodedArray, SchemaTree } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { unwrap } from "./columns.ts";
import { type Chunk, chunkOf, type ParquetFile, unreadable } from "./parquet-file.ts";
import { Recent } from "./recent.ts";

type Header = ReturnType<typeof parquetHeader>;

interface Page {
  /** First row in the row group; the dictionary has none. */
  readonly firstRow: number;
  readonly rows: number;
  readonly start: number;
  readonly end: number;
  readonly header: Header;
}

/** Where the pages of a row group's column lie. */
interface PageMap {
  readonly chunk: Chunk;
  readonly dictionary: Page | undefined;
  readonly pages: readonly Page[];
}

/** Bytes of a page header read at first; statistics can make it longer. */
const HEADER_BYTES = 4096;
const MOST_HEADER_BYTES = 2 ** 24;
/** One page is one picture at least; nobody's picture is larger. */
const MOST_PAGE_BYTES = 2 ** 30;
/** Decoded pages kept, in bytes. */
const KEPT_BYTES = 64 * 2 ** 20;
const KEPT_MAPS = 4096;

const maps = new Recent<PageMap>(KEPT_MAPS);
const decoded = new Recent<DecodedArray>(KEPT_BYTES);

/** The bytes in one row of a leaf column, or null. Errors: DataError when the file is damaged there. */
export async function readRowBytes(
  file: ParquetFile,
  leaf: SchemaTree,
  row: number,
): Promise<Uint8Array | null> {
  const group = file.groupStarts.findLastIndex((start) => start <= row);
  const place = `${file.path}\n${file.stamp}\n${leaf.path.join(".")}\n${group}`;
  try {
    const map = await maps.get(place, () => locatePages(file, group, leaf), 1);
    const inGroup = row - file.groupStarts[group]!;
    const at = map.pages.findLastIndex(({ firstRow }) => firstRow <= inGroup);
    const page = map.pages[at]!;
    const { header } = page;
    const values = await decoded.get(
      `${place}\n${at}`,
      async () => {
        const isIndexed = (header.data_page_header ?? header.data_page_header_v2)?.encoding.endsWith(
          "DICTIONARY",
        );
        const dictionary =
          isIndexed && map.dictionary
            ? await decoded.get(
                `${place}\ndictionary`,
                () => decode(file, leaf, map, map.dictionary!),
                sizeOf(map.dictionary),
              )
            : undefined;
        return decode(file, leaf, map, page, dictionary);
      },
      sizeOf(page),
    );
    const value = unwrap((values as unknown[])[inGroup - page.firstRow]);
    // A copy: the page stays whole whatever becomes of the picture's bytes.
    return value instanceof Uint8Array ? value.slice() : null;
  } catch (cause) {
    throw unreadable(file.path, cause);
  }
}

const sizeOf = ({ header, start, end }: Page): number => Math.max(header.uncompressed_page_size, end - start);

async function decode(
  file: ParquetFile,
  leaf: SchemaTree,
  { chunk: { column } }: PageMap,
  page: Page,
  dictionary?: DecodedArray,
): Promise<DecodedArray> {
  const bytes = await withFile(file.path, (handle) => readPart(handle, page.start, page.end));
  const { data = [] } = readPage(
    { view: new DataView(bytes), offset: 0 },
    page.header,
    {
      ...{ pathInSchema: leaf.path, element: leaf.element, schemaPath: getTreePath(file.schema, leaf.path) },
      ...{ type: column.type, codec: column.codec, compressors, parsers: DEFAULT_PARSERS, utf8: false },
    },
    dictionary,
    undefined,
    0,
  );
  if (page.rows > 0 && data.length !== page.rows)
    throw new Error(`a page of ${page.rows} pictures holds ${data.length}`);
  return data;
}

/** Walks along the headers of a column's pages. */
async function locatePages(file: ParquetFile, group: number, leaf: SchemaTree): Promise<PageMap> {
  const chunk = chunkOf(file, group, leaf);
  const total = file.groupStarts[group + 1]! - file.groupStarts[group]!;
  return withFile(file.path, async (handle) => {
    const pages: Page[] = [];
    let dictionary: Page | undefined;
    let offset = chunk.start;
    let firstRow = 0;
    while (firstRow < total) {
      if (offset >= chunk.end) throw new Error(`row group ${group} has ${firstRow} pictures of ${total}`);
      const { header, length } = await readHeader(handle, offset, chunk.end);
      const [start, end] = [offset + length, offset + length + header.compressed_page_size];
      if (!(end > start && end <= chunk.end && header.uncompressed_page_size <= MOST_PAGE_BYTES))
        throw new Error(`a page of ${header.uncompressed_page_size} bytes lies at ${start} to ${end}`);
      const data = header.data_page_header ?? header.data_page_header_v2;
      // Pictures do not repeat, so that each value is a row.
      const rows = header.type === "DICTIONARY_PAGE" ? 0 : (data?.num_values ?? 0);
      if (rows < 0 || firstRow + rows > total) throw new Error(`row group ${group} has too many pictures`);
      if (header.type === "DICTIONARY_PAGE") dictionary = { firstRow: 0, rows: 0, start, end, header };
      else if (rows > 0) pages.push({ firstRow, rows, start, end, header });
      firstRow += rows;
      offset = end;
    }
    return { chunk, dictionary, pages };
  });
}

async function readHeader(
  handle: FileHandle,
  offset: number,
  limit: number,
): Promise<{ header: Header; length: number }> {
  for (let size = HEADER_BYTES; ; size *= 4) {
    const end = Math.min(offset + size, limit);
    const reader = { view: new DataView(await readPart(handle, offset, end)), offset: 0 };
    try {
      return { header: parquetHeader(reader), length: reader.offset };
    } catch (error) {
      if (end === limit || size >= MOST_HEADER_BYTES) throw error;
    }
  }
}

async function readPart(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new ArrayBuffer(end - start);
  let done = 0;
  while (done < end - start) {
    const { bytesRead } = await handle.read(new Uint8Array(bytes), done, end - start - done, start + done);
    if (bytesRead === 0) throw new Error(`it ends ${end - start - done} bytes early`);
    done += bytesRead;
  }
  return bytes;
}

async function withFile<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, "r");
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}
