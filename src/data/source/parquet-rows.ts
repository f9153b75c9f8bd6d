/** Rows of parquet files: shards of a split with the pictures inside, or a metadata.parquet beside picture files. */
import { basename, dirname, relative } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { parquetRef } from "../image-ref.ts";
import { readPaths, readValues } from "../parquet/columns.ts";
import { imageColumn } from "../parquet/image-column.ts";
import { openParquet, rowCount } from "../parquet/parquet-file.ts";
import { splitInName, splitName } from "./splits.ts";
import { checkRows } from "./metadata-rows.ts";
import type { SourceRow } from "./source-row.ts";

/**
 * The rows of shards in the order given. A picture's id is its path as the file notes it, if every picture has one of its
 * own; or else the shard's name, relative to `folder`, and the row.
 * Errors: DataError for a damaged file, one without pictures, or no rows.
 */
export function readShards(shards: readonly string[], folder: string): SourceRow[] {
  const rows: (Omit<SourceRow, "id"> & { path: string | null; place: string })[] = [];
  for (const shard of shards) {
    const file = openParquet(shard);
    const { name } = imageColumn(file);
    const columns = [...readValues(file, name)];
    const paths = readPaths(file);
    for (let row = 0; row < rowCount(file); row++)
      rows.push({
        file: parquetRef(shard, row),
        where: `${shard}, row ${row}`,
        fields: Object.fromEntries(columns.map(([column, values]) => [column, values[row]])),
        path: paths[row] ?? null,
        place: parquetRef(relative(folder, shard), row),
      });
  }
  if (rows.length === 0)
    throw new DataError(`${shards.join(", ")}: there are no rows. Expected at least one picture.`);
  const hasNames =
    rows.every(({ path }) => path !== null && path !== "") &&
    new Set(rows.map(({ path }) => path)).size === rows.length;
  return rows.map(({ file, where, fields, path, place }) => ({
    id: hasNames ? path! : place,
    ...{ file, where, fields },
  }));
}

/** The rows of a metadata.parquet. Errors: DataError that names file and row. */
export function readMetadataParquet(path: string, folder: string): SourceRow[] {
  const file = openParquet(path);
  const columns = [...readValues(file)];
  const raw = Array.from({ length: rowCount(file) }, (_, row) => ({
    place: `row ${row}`,
    fields: Object.fromEntries(columns.map(([column, values]) => [column, values[row]])),
  }));
  return checkRows(raw, { file: path, folder, example: 'rows with a column "file_name"' });
}

/**
 * Shards of each split by its name, from names such as train-00000-of-00002.parquet or train.parquet. Without such names all
 * files belong together, under undefined; with them, other files do not count. Errors: DataError when a shard is missing.
 */
export function shardsBySplit(shards: readonly string[]): Map<string | undefined, string[]> {
  const splits = new Map<string | undefined, string[]>();
  for (const shard of shards) {
    const name = basename(shard, ".parquet");
    const [, split = name, , of] = /^(.+?)-(\d{5})-of-(\d{5})/.exec(name) ?? [];
    if (of !== undefined) checkSiblings(shard, Number(of), shards);
    const isName = of !== undefined && /^\w+(\.\w+)*$/.test(split);
    const key = splitName(split) ?? (isName ? split : splitInName(split));
    splits.set(key, [...(splits.get(key) ?? []), shard]);
  }
  if (splits.size > 1) splits.delete(undefined);
  return splits;
}

function checkSiblings(shard: string, count: number, shards: readonly string[]): void {
  const [stem] = /^.+?-\d{5}-of-\d{5}/.exec(basename(shard))!;
  const folder = dirname(shard);
  const present = shards.filter((other) => dirname(other) === folder).map((other) => basename(other));
  for (let i = 0; i < count; i++) {
    const wanted = stem.replace(/\d{5}(?=-of-\d{5}$)/, String(i).padStart(5, "0"));
    if (!present.some((name) => name.startsWith(wanted)))
      throw new DataError(
        `${wanted}.parquet is missing from ${folder}, which has others of its ${count} parts. Get the missing parts.`,
      );
  }
}
