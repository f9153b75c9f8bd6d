/** Values of a parquet file's columns other than pictures: texts, numbers, truth values, times and lists of texts. */
import type { DecodedArray, SchemaTree } from "hyparquet";
import { compressors } from "hyparquet-compressors";
// The public functions of hyparquet are asynchronous, although its decoding is not.
import { assembleNested } from "hyparquet/src/assemble.js";
import { readColumn } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { getTreePath } from "hyparquet/src/schema.js";
import { featuresOf } from "./features.ts";
import { imageColumn, isBinary, isText } from "./image-column.ts";
import { chunkOf, type ParquetFile, readable, readBytes, rowCount } from "./parquet-file.ts";

/**
 * Columns with values that fit into a row of metadata, by name: [row]. Class labels are given by their names, whole numbers
 * beyond 2^53 and times as text, everything absent as null. Pictures, embeddings, boxes and the like are left out.
 */
export function readValues(file: ParquetFile, image?: string): ReadonlyMap<string, readonly unknown[]> {
  const features = featuresOf(file);
  const columns = file.schema.children.filter(
    (column) => column.element.name !== image && (isScalar(column) || isTextList(column)),
  );
  return new Map(
    columns.map((column) => {
      const names = features.get(column.element.name)?.names;
      const values = readTree(file, column).map(plain);
      const label = (value: unknown): unknown =>
        typeof value === "number" && names?.[value] !== undefined ? names[value] : value;
      return [column.element.name, names ? values.map(label) : values] as const;
    }),
  );
}

/** The name or path of each picture: [row]; null where there is none. */
export function readPaths(file: ParquetFile): readonly (string | null)[] {
  const { path } = imageColumn(file);
  if (!path) return new Array<null>(rowCount(file)).fill(null);
  return readTree(file, path).map((value) => {
    const text = unwrap(value);
    return typeof text === "string" ? text : null;
  });
}

const isScalar = (column: SchemaTree): boolean =>
  column.children.length === 0 && column.element.repetition_type !== "REPEATED" && !isBinary(column);

function isTextList({ element, children }: SchemaTree): boolean {
  const [list] = children;
  const [item] = list?.children ?? [];
  const isList = element.converted_type === "LIST" || element.logical_type?.type === "LIST";
  return isList && children.length === 1 && list?.children.length === 1 && !!item && isText(item);
}

/** A whole column, or one leaf of it: [row], optional levels above a single leaf still around its value. */
function readTree(file: ParquetFile, tree: SchemaTree): unknown[] {
  const rows: unknown[] = [];
  file.metadata.row_groups.forEach(({ num_rows }, group) => {
    const count = Number(num_rows);
    if (count === 0) return;
    const values = readGroup(file, group, tree);
    readable(file.path, () => {
      if (values.length !== count)
        throw new Error(
          `column ${tree.path.join(".")} has ${values.length} values in row group ${group} of ${count} rows`,
        );
    });
    for (const value of values) rows.push(value);
  });
  return rows;
}

function readGroup(
  file: ParquetFile,
  group: number,
  tree: SchemaTree,
): ArrayLike<unknown> & Iterable<unknown> {
  const leaf = tree.children.length === 0 ? tree : tree.children[0]!.children[0]!;
  const { start, end, column } = chunkOf(file, group, leaf);
  return readable(file.path, () => {
    const rows = Number(file.metadata.row_groups[group]!.num_rows);
    const schemaPath = getTreePath(file.schema, leaf.path);
    const { data } = readColumn(
      { view: new DataView(readBytes(file.path, start, end)), offset: 0 },
      { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows },
      {
        ...{ pathInSchema: leaf.path, element: leaf.element, schemaPath, compressors },
        ...{ type: column.type, codec: column.codec, parsers: DEFAULT_PARSERS },
      },
    );
    const values: DecodedArray =
      data.length === 1 ? data[0]! : data.flatMap((part) => Array.from(part as unknown[]));
    if (leaf === tree) return values as unknown[];
    const parts = new Map([[leaf.path.join("."), values]]);
    assembleNested(parts, tree, DEFAULT_PARSERS);
    return (parts.get(tree.path.join(".")) ?? []) as unknown[];
  });
}

/** The value below the lists that stand for optional levels; only for leaves that never repeat. */
export function unwrap(value: unknown): unknown {
  let inner = value;
  while (Array.isArray(inner)) inner = inner[0] as unknown;
  return inner ?? null;
}

/** A value as JSON has it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "string" || typeof value === "boolean" ? value : null;
}
