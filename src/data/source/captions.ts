/** The captions among a row's fields. */
import { DataError } from "../../torch/errors.ts";
import type { SourceRow } from "./source-row.ts";

/** The column with a row's captions: the one asked for, or "text", or "caption". */
export const captionColumnOf = (fields: SourceRow["fields"], column: string | undefined): string =>
  column ?? (Object.hasOwn(fields, "text") ? "text" : "caption");

/**
 * One caption or several, as the row has them; none when the row has no value in the column.
 * Errors: DataError for a caption that is empty or no text.
 */
export function captionsOf({ fields, id, where }: SourceRow, column: string | undefined): string[] {
  const name = captionColumnOf(fields, column);
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null) return [];
  const wanted = wantedText(column);
  const isList = Array.isArray(value);
  const captions: readonly unknown[] = isList ? value : [value];
  if (captions.length === 0)
    throw new DataError(
      `${where}: the list of captions of "${id}" is empty. Expected at least one ${wanted}.`,
    );
  return captions.map((caption, i) => {
    const which = isList ? `caption ${i + 1} of "${id}"` : `the caption of "${id}"`;
    if (typeof caption !== "string")
      throw new DataError(
        `${where}: ${which} is not text. Expected a string or a list of strings ${wanted}.`,
      );
    if (caption.trim() === "")
      throw new DataError(`${where}: ${which} is empty. Write what the picture shows ${wanted}.`);
    return caption;
  });
}

/** The error for a row without a caption, which says where one was looked for. */
export function noCaption({ fields, id, where }: SourceRow, column: string | undefined): DataError {
  const names = Object.keys(fields).filter((name) => name !== "file_name");
  const other =
    names.length > 0
      ? ` Its columns are: ${names.join(", ")}.`
      : ` Without columns, a caption stands in a text file beside the picture (${id.replace(/\.[^.]*$/, "")}.txt).`;
  return new DataError(
    `${where}: "${id}" has no caption. Expected a string or a list of strings ${wantedText(column)}.${other}`,
  );
}

const wantedText = (column: string | undefined): string =>
  `under ${column === undefined ? '"text" or "caption"' : `"${column}"`}`;
