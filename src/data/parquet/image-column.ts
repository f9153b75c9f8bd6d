/** Which column of a parquet file holds the pictures. */
import type { SchemaTree } from "hyparquet";
import { DataError } from "../../torch/errors.ts";
import { featuresOf } from "./features.ts";
import type { ParquetFile } from "./parquet-file.ts";

export interface ImageColumn {
  readonly name: string;
  /** Leaf with the encoded pictures; rows without one may have a path instead. */
  readonly bytes: SchemaTree | undefined;
  /** Leaf with the name of each picture, or its path beside the parquet file. */
  readonly path: SchemaTree | undefined;
}

/** Names of columns of plain bytes that are taken for pictures. */
const PICTURE = /image|img|picture|photo|jpe?g|png|webp/i;

/**
 * The column of pictures: as the Hugging Face library writes them (bytes and path), or plain bytes with a telling name.
 * Errors: DataError when there is none, or several and none of them is called "image".
 */
export function imageColumn(file: ParquetFile): ImageColumn {
  const features = featuresOf(file);
  const found = file.schema.children.flatMap((column): ImageColumn[] => {
    const { name } = column.element;
    const { type } = features.get(name) ?? {};
    if (type !== undefined && type !== "Image" && type !== "Value") return [];
    const [bytes, path] = ["bytes", "path"].map((leaf) =>
      column.children.find(({ element, children }) => element.name === leaf && children.length === 0),
    );
    if (bytes && isBinary(bytes)) return [{ name, bytes, path: path && isText(path) ? path : undefined }];
    if (column.children.length > 0) return [];
    if (isBinary(column) && (type === "Image" || PICTURE.test(name)))
      return [{ name, bytes: column, path: undefined }];
    return type === "Image" && isText(column) ? [{ name, bytes: undefined, path: column }] : [];
  });
  const chosen = found.length > 1 ? found.find(({ name }) => name === "image") : found[0];
  if (chosen) return chosen;
  const names = (columns: readonly { name: string }[]): string => columns.map(({ name }) => name).join(", ");
  if (found.length > 1)
    throw new DataError(
      `${file.path} has several columns of pictures: ${names(found)}. Call the one to use "image".`,
    );
  throw new DataError(
    `${file.path} has no column of pictures; its columns are: ${names(file.schema.children.map(({ element }) => element))}. ` +
      'Expected a column "image" with the bytes and path of each picture, as the Hugging Face datasets library writes it.',
  );
}

/** Bytes that are not said to be anything else. */
export const isBinary = ({ element: { type, converted_type, logical_type } }: SchemaTree): boolean =>
  type === "BYTE_ARRAY" && converted_type === undefined && logical_type === undefined;

export const isText = ({ element: { type, converted_type, logical_type } }: SchemaTree): boolean =>
  type === "BYTE_ARRAY" && (converted_type === "UTF8" || logical_type?.type === "STRING");
