/** metadata.jsonl of the Hugging Face "imagefolder" layout: one JSON object per line. */
import { DataError } from "../../torch/errors.ts";
import { checkRows, type RawRow } from "./metadata-rows.ts";
import type { SourceRow } from "./source-row.ts";
import { readTextFile } from "./text-file.ts";

const example =
  'one JSON object per line, such as {"file_name": "0001.png", "text": "a photo of a waterbird"}';

/** The rows of a metadata.jsonl in `folder`. Errors: DataError that names file and line. */
export const readJsonl = (file: string, folder: string): SourceRow[] =>
  checkRows(parseJsonl(readTextFile(file), file), { file, folder, example });

/** Lines as rows; blank ones are left out. Errors: DataError for a line that is no JSON object. */
export function parseJsonl(text: string, file: string): RawRow[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const place = `line ${i + 1}`;
    let fields: unknown;
    try {
      fields = JSON.parse(line);
    } catch (cause) {
      throw new DataError(
        `${file}, ${place} is not valid JSON (${(cause as Error).message}). Expected ${example}.`,
        {
          cause,
        },
      );
    }
    if (typeof fields !== "object" || fields === null || Array.isArray(fields))
      throw new DataError(`${file}, ${place} is not a JSON object. Expected ${example}.`);
    return [{ place, fields: fields as Record<string, unknown> }];
  });
}
