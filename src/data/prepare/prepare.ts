/** Prepares a published data set: read the label files, check every picture, choose by ratio and seed, write an image folder. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { ConfigError } from "../../torch/errors.ts";
import { chooseCaptions, type CaptionChoice } from "./captions.ts";
import { badImagesError, checkImages, missingImages, type Checked } from "./check-images.ts";
import type { Listing, PublishedSet, ReadOptions, SourceImage, Split } from "./listing.ts";
import { checkTarget, FORMAT, writeNewFolder } from "./new-folder.ts";
import { parseRatio, ratioText, type Ratio } from "./ratio.ts";
import { selectImages, type ChosenSplit, type SplitRule } from "./select-images.ts";
import { rowColumns, splitSummary, writeSet } from "./write-set.ts";

export type SplitMode = "balanced" | "as-is" | "none";

export interface PrepareProgress {
  readonly task: string;
  readonly done: number;
  readonly total: number;
}

export interface PrepareOptions extends ReadOptions, CaptionChoice {
  /** Of the training split; see `parseRatio`. Without it the data set's own. */
  readonly ratio?: string | undefined;
  /** Validation images: as many of every group (default), all of them, or none. */
  readonly validation?: SplitMode | undefined;
  /** Test images, by default all of them. */
  readonly test?: SplitMode | undefined;
  /** At most so many training images. */
  readonly size?: number | undefined;
  /** At most so many validation images. */
  readonly validationSize?: number | undefined;
  readonly seed?: number | undefined;
  /** Leaves out images that are missing or cannot be decoded. */
  readonly skipBroken?: boolean | undefined;
  /** Which pictures are decoded: all that are listed (default), or only those that are used. */
  readonly check?: "all" | "used" | undefined;
  /** Hard links instead of copies. */
  readonly link?: boolean | undefined;
  /** Replaces a prepared data set. */
  readonly force?: boolean | undefined;
  /** The command, to be kept in dataset.json. */
  readonly command?: string | undefined;
  /** Told what will be written, before the first copy. */
  readonly onPlan?: ((plan: PreparePlan) => void) | undefined;
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is about to be written. */
export interface PreparePlan {
  readonly groups: readonly string[];
  readonly ratio: string;
  readonly splits: readonly ChosenSplit[];
  /** Images of no group, by reason. */
  readonly unused: Readonly<Record<string, number>>;
  /** Images left out by `skipBroken`, as "NAME: reason". */
  readonly skipped: readonly string[];
  /** Columns for an evaluation's settings. */
  readonly evaluation: { readonly subjectColumn?: string | undefined; readonly hiddenColumn: string };
}

/**
 * Writes `out` with train/, validation/ and test/ (each with metadata.jsonl) and dataset.json; it appears only when complete.
 * Errors: DataError for a source that is not the official download, labels and images that are wrong, a ratio that cannot
 * be built, or an `out` that is taken; ConfigError for an option out of range; the signal's reason when aborted.
 */
export async function prepareDataset(
  set: PublishedSet,
  source: string,
  out: string,
  options: PrepareOptions = {},
): Promise<PreparePlan> {
  const { seed = 0, force = false, link = false, signal, onProgress, onPlan } = options;
  const target = resolve(out);
  const listing = set.read(source, options);
  const ratio = parseRatio(options.ratio ?? set.ratio, listing.groups);
  const style = chooseCaptions(set.captions(options), options);
  checkTarget(target, { force, source });
  const rules = splitRules(ratio, listing.groups.length, options);
  const { splits, checked, skipped } = await chooseChecked(listing, {
    ...options,
    select: (images) => selectImages(images, { groups: listing.groups, seed, rules }),
  });
  // A template with an unknown column is found before anything is copied.
  for (const { images } of splits) style.caption(rowColumns(images[0]!, listing.groups));
  const { subjectColumn, hiddenColumn } = style;
  const plan: PreparePlan = {
    ...{ groups: listing.groups, ratio: ratioText(ratio), splits, skipped },
    ...{ unused: listing.unused, evaluation: { subjectColumn, hiddenColumn } },
  };
  onPlan?.(plan);
  const summary = {
    ...{ format: FORMAT, version: 1, dataset: set.name, command: options.command },
    source: { folder: source, url: set.url, images: listing.images.length, unused: listing.unused },
    labelFiles: await labelHashes(listing),
    ...{ seed, ratio: plan.ratio, against: options.against },
    ...{ captions: style.name, caption: options.caption },
    evaluation: plan.evaluation,
    skipped,
    groups: listing.groups.map((name, group) => ({ group, name })),
    splits: Object.fromEntries(splits.map((chosen) => [chosen.split, splitSummary(chosen, checked)])),
  };
  await writeNewFolder(target, { force, source, signal }, (folder) =>
    writeSet(folder, splits, summary, {
      ...{ groups: listing.groups, caption: style.caption, link, signal },
      onProgress: (done, total) => onProgress?.({ task: link ? "linking" : "copying", done, total }),
    }),
  );
  return plan;
}

function splitRules(
  ratio: Ratio,
  groups: number,
  options: PrepareOptions,
): Partial<Record<Split, SplitRule>> {
  const { validation = "balanced", test = "as-is", size, validationSize, seed = 0 } = options;
  for (const [name, value, least] of [
    ["size", size, 1],
    ["validationSize", validationSize, 1],
    ["seed", seed, 0],
  ] as const)
    if (value !== undefined && (!Number.isSafeInteger(value) || value < least))
      throw new ConfigError(`${name} is ${value}; expected a whole number of at least ${least}.`);
  const rule = (mode: SplitMode, limit?: number): SplitRule | undefined => {
    if (mode === "none") return undefined;
    // A group that the training images leave out is left out here too.
    const equal = ratio?.map((part) => Math.min(1, part)) ?? new Array<number>(groups).fill(1);
    return { ratio: mode === "balanced" ? equal : undefined, limit };
  };
  return {
    train: { ratio, limit: size },
    validation: rule(validation, validationSize),
    test: rule(test),
  };
}

interface ChooseOptions extends Pick<PrepareOptions, "skipBroken" | "check" | "onProgress" | "signal"> {
  readonly select: (images: readonly SourceImage[]) => ChosenSplit[];
}

/** Chooses among the images that are there and can be decoded. Errors: DataError naming the others, unless skipped. */
async function chooseChecked(
  { images: listed }: Listing,
  { skipBroken = false, check = "all", select, signal, onProgress }: ChooseOptions,
): Promise<{ splits: ChosenSplit[]; checked: Map<SourceImage, Checked>; skipped: string[] }> {
  const missing = new Set(missingImages(listed));
  const skipped = [...missing].map(({ name }) => `${name}: there is no such file`);
  if (missing.size > 0 && !skipBroken)
    throw badImagesError(
      "are listed but not there",
      [...missing].map(({ file }) => file),
      listed.length,
    );
  let images = listed.filter((image) => !missing.has(image));
  // Before the long check: a ratio that is impossible with all images is impossible with fewer.
  let splits = select(images);
  const checked = new Map<SourceImage, Checked>();
  for (;;) {
    const used = check === "all" ? images : splits.flatMap((split) => split.images);
    const unknown = used.filter((image) => !checked.has(image));
    if (unknown.length === 0) return { splits, checked, skipped };
    const found = await checkImages(unknown, {
      signal,
      onProgress: (done, total) => onProgress?.({ task: "checking images", done, total }),
    });
    for (const [image, what] of found) checked.set(image, what);
    const broken = unknown.flatMap((image) => {
      const what = found.get(image)!;
      return "broken" in what ? [{ image, reason: what.broken }] : [];
    });
    if (broken.length === 0) return { splits, checked, skipped };
    if (!skipBroken)
      throw badImagesError(
        "cannot be decoded",
        broken.map(({ image, reason }) => `${image.file}: ${reason}`),
        unknown.length,
      );
    skipped.push(...broken.map(({ image, reason }) => `${image.name}: ${reason}`));
    const bad = new Set(broken.map(({ image }) => image));
    images = images.filter((image) => !bad.has(image));
    // Others take their places, which have to be checked too.
    splits = select(images);
  }
}

async function labelHashes({ labelFiles }: Listing): Promise<{ name: string; sha256: string }[]> {
  return await Promise.all(
    labelFiles.map(async (file) => ({
      name: basename(file),
      sha256: createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    })),
  );
}
