/** Reads label files of published data sets line by line: CSV (byte order mark, any line ends, quotes) and words between spaces. */
import { readFileSync } from "node:fs";
import { CsvError, parse } from "csv-parse/sync";
import { DataError } from "../../torch/errors.ts";

/** One line of values under named columns. */
export interface LabelRow {
  /** "FILE, line N", for error messages. */
  readonly where: string;
  /** The header's columns. */
  readonly columns: readonly string[];
  /** The value under a column of the header, spaces around it removed. Errors: DataError when it is empty. */
  text(column: string): string;
  /** The same as one of the given numbers. Errors: DataError naming value and column. */
  number<T extends number>(column: string, allowed: readonly T[]): T;
  /** The same as one of the given words. Errors: DataError naming value and column. */
  word<T extends string>(column: string, allowed: readonly T[]): T;
}

/** A header and what it must contain. */
export interface HeaderRule {
  /** Columns without which the file is not the expected one. */
  readonly needed: readonly string[];
  /** Such as "the metadata.csv of Waterbirds (URL)", for error messages. */
  readonly expected: string;
}

/** The text of a file without a byte order mark. Errors: DataError when it cannot be read. */
export function readLabels(file: string): string {
  try {
    return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (cause) {
    throw new DataError(`${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/**
 * Calls `onRow` for each line of a CSV file below its header; rows are not kept.
 * Errors: DataError for missing or doubled columns, lines of another length, broken quotes, and a file without rows.
 */
export function eachCsvRow(file: string, rule: HeaderRule, onRow: (row: LabelRow) => void): void {
  let columns: Map<string, number> | undefined;
  let rows = 0;
  const onRecord = (values: string[], line: number): void => {
    if (columns === undefined) {
      columns = columnIndex(values, `${file}, line ${line}`, rule);
      return;
    }
    rows++;
    onRow(labelRow(values, columns, `${file}, line ${line}`));
  };
  try {
    parse(readLabels(file), {
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      on_record: (values: string[], { lines }) => {
        onRecord(values, lines);
        return null;
      },
    });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new DataError(`${file} is not valid CSV: ${cause.message}. Expected ${rule.expected}.`, { cause });
  }
  if (rows === 0) throw new DataError(`${file} lists no images. Expected ${rule.expected}.`);
}

/** The places of the columns of a header. Errors: DataError for a missing or doubled one. */
export function columnIndex(
  header: readonly string[],
  where: string,
  { needed, expected }: HeaderRule,
): Map<string, number> {
  const columns = new Map<string, number>();
  header.forEach((name, i) => {
    if (columns.has(name)) throw new DataError(`${where} names the column "${name}" twice.`);
    columns.set(name, i);
  });
  const missing = needed.filter((name) => !columns.has(name));
  if (missing.length === 0) return columns;
  throw new DataError(
    `${where} has no column ${missing.map((name) => `"${name}"`).join(", ")}; its columns are ` +
      `${header.slice(0, 12).join(", ")}${header.length > 12 ? ", ..." : ""}. Expected ${expected}.`,
  );
}

/** A line's values under the columns of its header. Errors: DataError when their number is not the header's. */
export function labelRow(
  values: readonly string[],
  columns: ReadonlyMap<string, number>,
  where: string,
): LabelRow {
  if (values.length !== columns.size)
    throw new DataError(`${where} has ${values.length} values; the header names ${columns.size} columns.`);
  const text = (column: string): string => {
    const value = values[columns.get(column) ?? -1] ?? "";
    if (value === "") throw new DataError(`${where} has nothing under "${column}".`);
    return value;
  };
  const oneOf = <T>(column: string, found: T | undefined, allowed: readonly T[]): T => {
    if (found !== undefined) return found;
    throw new DataError(
      `${where}: "${column}" is "${values[columns.get(column) ?? -1] ?? ""}"; expected ${allowed.join(", ")}.`,
    );
  };
  return {
    where,
    get columns() {
      return [...columns.keys()];
    },
    text,
    number: (column, allowed) => {
      const value = text(column);
      return oneOf(
        column,
        allowed.find((number) => String(number) === value),
        allowed,
      );
    },
    word: (column, allowed) => {
      const value = text(column);
      return oneOf(
        column,
        allowed.find((word) => word === value),
        allowed,
      );
    },
  };
}
