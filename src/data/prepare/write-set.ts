/** Writes chosen images as an image folder: a folder for each split with the pictures and metadata.jsonl, and a summary. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, link, mkdir, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { inParallel } from "../in-parallel.ts";
import type { Checked } from "./check-images.ts";
import type { CaptionStyle, Columns, SourceImage } from "./listing.ts";
import { SUMMARY } from "./new-folder.ts";
import type { ChosenSplit } from "./select-images.ts";

const AT_ONCE = 16;
/** Lines of metadata.jsonl written at once. */
const LINES = 1000;

export interface WriteSetOptions {
  readonly groups: readonly string[];
  readonly caption: CaptionStyle["caption"];
  /** Hard links instead of copies. */
  readonly link: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Fills `folder`; `summary` becomes its dataset.json.
 * Errors: DataError when hard links are impossible; what the disk refuses; the signal's reason.
 */
export async function writeSet(
  folder: string,
  splits: readonly ChosenSplit[],
  summary: object,
  options: WriteSetOptions,
): Promise<void> {
  for (const { split, images } of splits) {
    const folders = new Set(images.map(({ fileName }) => dirname(join(folder, split, fileName))));
    for (const name of [join(folder, split), ...folders]) await mkdir(name, { recursive: true });
  }
  await copyAll(
    splits.flatMap(({ split, images }) =>
      images.map(({ file, fileName }) => ({ from: file, to: join(folder, split, fileName) })),
    ),
    options,
  );
  for (const { split, images } of splits)
    await writeFile(join(folder, split, "metadata.jsonl"), metadataLines(images, options));
  await writeFile(join(folder, SUMMARY), `${JSON.stringify(summary, null, 2)}\n`);
}

async function copyAll(
  files: readonly { readonly from: string; readonly to: string }[],
  { link: isLink, signal, onProgress }: WriteSetOptions,
): Promise<void> {
  let done = 0;
  let failure: { readonly error: unknown } | undefined;
  // A failure is thrown only when every copy has ended, so that none writes while the folder is removed.
  await inParallel(files.length, { limit: AT_ONCE }, async (i) => {
    if (failure) return;
    const { from, to } = files[i]!;
    try {
      signal?.throwIfAborted();
      if (isLink) await hardLink(from, to);
      else await copyFile(from, to, constants.COPYFILE_FICLONE);
      onProgress?.(++done, files.length);
    } catch (error) {
      failure ??= { error };
    }
  });
  if (failure) throw failure.error;
}

async function hardLink(from: string, to: string): Promise<void> {
  try {
    await link(await realpath(from), to);
  } catch (cause) {
    throw new DataError(
      `${from} cannot be linked: ${(cause as Error).message}. Hard links need a source on the same disk: leave out --link.`,
      { cause },
    );
  }
}

/** Everything of a row but its file and caption; what a caption's template can name. */
export const rowColumns = ({ columns, group }: SourceImage, groups: readonly string[]): Columns => ({
  ...columns(),
  group,
  group_name: groups[group]!,
});

function* metadataLines(
  images: readonly SourceImage[],
  { caption, groups }: Pick<WriteSetOptions, "caption" | "groups">,
): Generator<string> {
  for (let start = 0; start < images.length; start += LINES)
    yield images
      .slice(start, start + LINES)
      .map((image) => {
        const own = rowColumns(image, groups);
        return `${JSON.stringify({ file_name: image.fileName, text: caption(own), ...own })}\n`;
      })
      .join("");
}

/** What dataset.json says of one split. */
export interface SplitSummary {
  readonly images: number;
  readonly bytes: number;
  /** SHA-256 of a line "FILE_NAME SHA-256" for each image, in the order of metadata.jsonl. */
  readonly sha256: string;
  /** Images of each group. */
  readonly groups: readonly number[];
  /** Images of each group in the source. */
  readonly available: readonly number[];
}

export function splitSummary(
  { images, counts, available }: ChosenSplit,
  checked: ReadonlyMap<SourceImage, Checked>,
): SplitSummary {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const image of images) {
    const known = checked.get(image);
    if (known === undefined || "broken" in known) throw new Error(`${image.name} was chosen unchecked`);
    hash.update(`${image.fileName} ${known.sha256}\n`);
    bytes += known.bytes;
  }
  return { images: images.length, bytes, sha256: hash.digest("hex"), groups: counts, available };
}
