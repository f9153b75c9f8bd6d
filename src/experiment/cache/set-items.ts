// What a training set is made of: pictures by content, and captions as a table that images point into.
import type { BatchRequest, ImageItem } from "../../data/index.ts";
import { DataError, InvDiffError } from "../../torch/index.ts";
import { hashFiles, type HashFilesOptions } from "./content.ts";

/** Ids and captions of a set, as `TrainingSet` has them. */
export interface SetCaptions {
  readonly ids: readonly string[];
  /** The distinct captions in alphabetical order; the last one is the empty text. */
  readonly captions: readonly string[];
  /** Indices into `captions` of each image's captions. */
  readonly captionsOf: readonly (readonly number[])[];
}

export interface SetItems extends SetCaptions {
  readonly files: readonly string[];
  /** SHA-256 of each file's bytes. */
  readonly hashes: readonly string[];
}

/** Captions of images as a table. */
export function tabulateCaptions(items: readonly Pick<ImageItem, "id" | "captions">[]): SetCaptions {
  const captions = [...new Set(items.flatMap((item) => item.captions))].filter((text) => text !== "").sort();
  captions.push("");
  const indexOf = new Map(captions.map((caption, i) => [caption, i]));
  return {
    ids: items.map(({ id }) => id),
    captions,
    captionsOf: items.map((item) => item.captions.map((caption) => indexOf.get(caption)!)),
  };
}

/** Images with the hashes of their files. Errors: DataError without images; those of `hashFiles`. */
export async function describeItems(
  items: readonly ImageItem[],
  options: HashFilesOptions = {},
): Promise<SetItems> {
  if (items.length === 0) throw new DataError("A training set was given no images; expected at least one.");
  const files = items.map(({ file }) => file);
  return { ...tabulateCaptions(items), files, hashes: await hashFiles(files, options) };
}

/** Errors: InvDiffError for a request that does not fit the set; its numbers index files and mapped memory. */
export function checkRequest(
  { ids, captions }: Pick<SetCaptions, "ids" | "captions">,
  { rows, captions: asked, flips, crops }: BatchRequest,
): void {
  const fail = (what: string): never => {
    throw new InvDiffError(`A batch of ${rows.length} images was asked for with ${what}.`);
  };
  if (rows.length === 0) fail("no rows; expected at least one");
  if (asked.length !== rows.length) fail(`${asked.length} captions`);
  if (flips && flips.length !== rows.length) fail(`${flips.length} flips`);
  if (crops && crops.length !== 2 * rows.length)
    fail(`${crops.length} crop positions; expected two for each`);
  const row = rows.find((i) => i < 0 || i >= ids.length);
  if (row !== undefined) fail(`row ${row}; the set has ${ids.length}`);
  const caption = asked.find((i) => i < 0 || i >= captions.length);
  if (caption !== undefined) fail(`caption ${caption}; the set has ${captions.length}`);
}
