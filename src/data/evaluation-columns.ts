/**
 * Columns of metadata.jsonl that only the evaluation may see, such as the hidden attribute.
 * Stages that train (base, groups, guidance) may not import this file; a test watches over it.
 */
import { DataError } from "../torch/index.ts";
import { readMetadata, type FolderOptions } from "./metadata-file.ts";

/** Values of one picture by column name. */
export type EvaluationRow = Readonly<Record<string, string | number>>;

/**
 * The given columns of an image folder by picture id (its file_name).
 * Errors: DataError that names the line where a column is missing or neither text nor a number.
 */
export function readEvaluationColumns(
  path: string,
  columns: readonly string[],
  options: FolderOptions = {},
): Map<string, EvaluationRow> {
  const rows = readMetadata(path, options).map(({ id, where, fields }) => {
    const values: Record<string, string | number> = {};
    for (const column of columns) {
      const value = Object.hasOwn(fields, column) ? fields[column] : undefined;
      if (typeof value !== "string" && typeof value !== "number")
        throw new DataError(
          `${where}: "${id}" has no text or number under "${column}". Its columns are: ${Object.keys(fields).join(", ")}.`,
        );
      values[column] = value;
    }
    return [id, values] as const;
  });
  return new Map(rows);
}
