/** Rows of a metadata file, whatever its format: each names a picture inside the folder, and no two the same. */
import { DataError } from "../../torch/errors.ts";
import { pathInside } from "./inside.ts";
import type { SourceRow } from "./source-row.ts";

export interface RawRow {
  /** Where in the file: "line 3". */
  readonly place: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface MetadataFile {
  readonly file: string;
  readonly folder: string;
  /** An example of a right row, for error messages. */
  readonly example: string;
}

/** Errors: DataError that names the row without a file name, outside the folder, or with a picture that was listed before. */
export function checkRows(raw: readonly RawRow[], { file, folder, example }: MetadataFile): SourceRow[] {
  if (raw.length === 0) throw new DataError(`${file} lists no pictures. Expected ${example}.`);
  const seen = new Map<string, string>();
  return raw.map(({ place, fields }) => {
    const where = `${file}, ${place}`;
    const id = Object.hasOwn(fields, "file_name") ? fields["file_name"] : undefined;
    if (typeof id !== "string" || id.trim() === "")
      throw new DataError(`${where} has no "file_name". Expected ${example}.`);
    const picture = pathInside(folder, id);
    if (picture === undefined)
      throw new DataError(
        `${where}: file_name "${id}" leads out of ${folder}. Give a path relative to the folder, inside it.`,
      );
    const before = seen.get(picture);
    if (before !== undefined)
      throw new DataError(`${where}: "${id}" was listed before (${before}). List every picture once.`);
    seen.set(picture, place);
    return { id, file: picture, where, fields };
  });
}
