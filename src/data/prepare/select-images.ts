/** Chooses the images of each split, by seed: the same listing and seed give the same set, and a smaller one is a part of it. */
import { DataError } from "../../torch/errors.ts";
import { Random } from "../random.ts";
import type { SourceImage, Split } from "./listing.ts";
import { SPLITS } from "./listing.ts";
import { largestCounts, type Ratio } from "./ratio.ts";

export interface SplitRule {
  readonly ratio: Ratio;
  /** At most so many images. */
  readonly limit?: number | undefined;
}

/** The images chosen for one split. */
export interface ChosenSplit {
  readonly split: Split;
  /** In the order of the label files. */
  readonly images: readonly SourceImage[];
  /** Chosen images of each group. */
  readonly counts: readonly number[];
  /** Images of each group that there were to choose from. */
  readonly available: readonly number[];
}

export interface SelectOptions {
  readonly groups: readonly string[];
  readonly seed: number;
  /** Absent: the split is left out. */
  readonly rules: Readonly<Partial<Record<Split, SplitRule>>>;
}

/**
 * The chosen images of each split that has images and a rule.
 * Errors: those of `largestCounts`; DataError without training images.
 */
export function selectImages(
  images: readonly SourceImage[],
  { groups, seed, rules }: SelectOptions,
): ChosenSplit[] {
  return SPLITS.flatMap((split) => {
    const rule = rules[split];
    const own = images.filter((image) => image.split === split);
    if (own.length === 0 && split === "train") throw new DataError("The source has no training images.");
    if (!rule || own.length === 0) return [];
    const cells = groups.map((_, g) => own.filter(({ group }) => group === g));
    const available = cells.map((cell) => cell.length);
    const { ratio, limit } = rule;
    const random = (part: string | number): Random => new Random("prepare", seed, split, part);
    const chosen = ratio
      ? largestCounts(available, ratio, { groups, limit, split }).flatMap((count, g) =>
          random(g)
            .shuffle([...cells[g]!])
            .slice(0, count),
        )
      : random("all")
          .shuffle([...own])
          .slice(0, limit);
    const isChosen = new Set(chosen);
    const kept = own.filter((image) => isChosen.has(image));
    const counts = groups.map((_, g) => kept.filter(({ group }) => group === g).length);
    return [{ split, images: kept, counts, available }];
  });
}
