/**
 * Columns of a data set's metadata that only the evaluation may see, such as the hidden attribute.
 * Stages that train (base, groups, guidance) may not import this file; a test watches over it.
 */
import { DataError } from "../torch/index.ts";
import { readSource } from "./source/read-source.ts";
import type { SourceOptions } from "./source/source-row.ts";

/** Values of one picture by column name. */
export type EvaluationRow = Readonly<Record<string, string | number>>;

/**
 * The given columns of a data set by picture id, as `openImageFolder` gives it; truth values as "true" and "false".
 * Errors: DataError that names the line where a column is missing, empty or neither text nor a number.
 */
export function readEvaluationColumns(
  path: string,
  columns: readonly string[],
  options: SourceOptions = {},
): Map<string, EvaluationRow> {
  const rows = readSource(path, options).rows.map(({ id, where, fields }) => {
    const values: Record<string, string | number> = {};
    for (const column of columns) {
      const found = Object.hasOwn(fields, column) ? fields[column] : undefined;
      const value = typeof found === "boolean" ? String(found) : found;
      if ((typeof value !== "string" || value.trim() === "") && typeof value !== "number")
        throw new DataError(
          `${where}: "${id}" has no text or number under "${column}". Its columns are: ${Object.keys(fields).join(", ")}.`,
        );
      values[column] = value;
    }
    return [id, values] as const;
  });
  return new Map(rows);
}
