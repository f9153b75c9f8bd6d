/** metadata.csv of the Hugging Face "imagefolder" layout: RFC 4180 with a line of column names. Every value is text. */
import { CsvError, parse } from "csv-parse/sync";
import { DataError } from "../../torch/errors.ts";
import { checkRows, type RawRow } from "./metadata-rows.ts";
import type { SourceRow } from "./source-row.ts";
import { readTextFile } from "./text-file.ts";

const example =
  'a line of column names with file_name among them, such as file_name,text, then one line per picture, such as 0001.png,"a photo of a waterbird"';

/** The rows of a metadata.csv in `folder`. Errors: DataError that names file and row. */
export const readCsv = (file: string, folder: string): SourceRow[] =>
  checkRows(parseCsv(readTextFile(file), file), { file, folder, example });

/** Rows by column name; blank lines are left out. Errors: DataError for a wrong heading, open quotes or rows of another length. */
export function parseCsv(text: string, file: string): RawRow[] {
  const [heading, ...rows] = recordsOf(text, file);
  if (!heading || isBlank(heading))
    throw new DataError(`${file} does not begin with names. Expected ${example}.`);
  const columns = heading.map((name) => name.trim());
  const doubled = columns.find((name, i) => columns.indexOf(name) !== i);
  if (doubled !== undefined)
    throw new DataError(`${file} has two columns called "${doubled}". Give every column its own name.`);
  if (!columns.includes("file_name"))
    throw new DataError(
      `${file} has no column "file_name"; its first line is: ${columns.join(", ")}. Expected ${example}.`,
    );
  return rows.flatMap((record, i) => {
    if (isBlank(record)) return [];
    // As a table shows it: the names are row 1.
    const place = `row ${i + 2}`;
    if (record.length !== columns.length)
      throw new DataError(
        `${file}, ${place} has ${record.length} ${record.length === 1 ? "value" : "values"}, but the first row names ${columns.length} columns. Put values with commas in quotes.`,
      );
    return [{ place, fields: Object.fromEntries(columns.map((name, column) => [name, record[column]!])) }];
  });
}

const isBlank = (record: readonly string[]): boolean => record.length === 1 && record[0] === "";

function recordsOf(text: string, file: string): string[][] {
  try {
    return parse(text, { bom: true, relaxColumnCount: true });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new DataError(
      `${file} cannot be read as CSV: ${cause.message}. Put values with commas, quotes or line breaks in quotes, and write a quote inside as two.`,
      { cause },
    );
  }
}
