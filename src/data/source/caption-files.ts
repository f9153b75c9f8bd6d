/** Captions in text files beside pictures: one caption to a line. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { type CaptionIndex, openCaptionIndex } from "./caption-index.ts";
import { readTextFile } from "./text-file.ts";

/** One caption, or several; the empty text for a file that says nothing. */
export type Captions = string | readonly string[];

/** With fewer files than this, reading them is as fast as asking the index. */
const INDEXED = 2000;

/**
 * The captions in each of the files (relative to `folder`; undefined for none). Of many files, what they said is remembered in
 * the user's cache folder; a file whose size or times have changed is read again. Errors: DataError for a file that is no text.
 */
export function readCaptionFiles(
  folder: string,
  files: readonly (string | undefined)[],
): (Captions | undefined)[] {
  const read = (file: string): Captions => captionLines(readTextFile(join(folder, file)));
  if (files.length < INDEXED) return files.map((file) => (file === undefined ? undefined : read(file)));
  const index = openCaptionIndex(folder);
  const captions = files.map((file) => (file === undefined ? undefined : indexed(index, folder, file, read)));
  index.save();
  return captions;
}

function indexed(
  index: CaptionIndex,
  folder: string,
  file: string,
  read: (file: string) => Captions,
): Captions {
  const found = statSync(join(folder, file), { throwIfNoEntry: false });
  if (!found) throw new DataError(`${join(folder, file)} is gone. Open the data set again.`);
  const before = index.find(file, found);
  if (before !== undefined) return before;
  const captions = read(file);
  index.add(file, found, captions);
  return captions;
}

/** Lines that say something: a single one as text, none as an empty text. */
export function captionLines(text: string): Captions {
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim());
  const captions = lines.filter((line) => line !== "");
  return captions.length > 1 ? captions : (captions[0] ?? "");
}
