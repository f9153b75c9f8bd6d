// What sets the groups apart: which captions, words and metadata values are more frequent in one group than elsewhere.
import type { GroupDifference } from "./group-data.ts";
import { type Feature, featuresOf } from "./difference-features.ts";
import { HypergeometricTail } from "./hypergeometric.ts";

/** What is known of each image; both arrays are indexed by the rows that the groups name. Evaluation only. */
export interface DifferenceColumns {
  /** Metadata of each image by column; texts, numbers and truth values are used, anything else is passed over. */
  readonly metadata?: readonly (Readonly<Record<string, unknown>> | undefined)[];
  /** Caption or captions of each image. */
  readonly captions?: readonly (string | readonly string[])[];
}

/** Options of `groupDifferences`. */
export interface DifferenceOptions {
  /** At most so many per group; default 6. */
  readonly limit?: number;
  /** Only differences whose corrected p-value is at most this; default 0.01. */
  readonly maxPValue?: number;
  /** Numbers with more distinct values than this are cut into bins of equally many images; default 3, that is terciles. */
  readonly bins?: number;
}

/**
 * For every group (rows of its images), the values that are more frequent in it than in all groups together, those that
 * tell most first: by the Kullback-Leibler divergence of the group's share from the overall share. Fisher's exact test
 * (one-sided) against a random choice of as many images decides what counts, with Bonferroni's correction for the number
 * of values tried. A group that is empty, or alone, has none.
 */
export function groupDifferences(
  groups: readonly (readonly number[])[],
  known: DifferenceColumns,
  { limit = 6, maxPValue = 0.01, bins = 3 }: DifferenceOptions = {},
): GroupDifference[][] {
  const rows = groups.flat();
  const features = featuresOf(rows, known, bins);
  const tail = new HypergeometricTail(rows.length);
  const tests = features.length * groups.filter((group) => group.length > 0).length;
  const groupOf = new Map(groups.flatMap((group, g) => group.map((row) => [row, g] as const)));
  const counts = features.map((feature) => {
    const own = new Int32Array(groups.length);
    for (const row of feature.rows) own[groupOf.get(row)!]!++;
    return own;
  });
  return groups.map((group, g) => {
    const found = features.flatMap((feature, f) => {
      const hits = counts[f]![g]!;
      const share = hits / group.length;
      const overall = feature.rows.length / rows.length;
      if (!(share > overall)) return [];
      const pValue = Math.min(
        1,
        tests * tail.atLeast(hits, { drawn: group.length, marked: feature.rows.length }),
      );
      if (pValue > maxPValue) return [];
      const { kind, column, value } = feature;
      const difference: GroupDifference = {
        kind,
        column,
        value,
        share,
        overall,
        lift: share / overall,
        pValue,
      };
      return [{ feature, difference, telling: divergence(share, overall) }];
    });
    found.sort((a, b) => b.telling - a.telling);
    return withoutEchoes(found)
      .slice(0, limit)
      .map(({ difference }) => difference);
  });
}

/** Kullback-Leibler divergence of a yes/no share from another, in nats. */
function divergence(share: number, overall: number): number {
  const term = (p: number, q: number): number => (p > 0 ? p * Math.log(p / q) : 0);
  return term(share, overall) + term(1 - share, 1 - overall);
}

/** Drops words that stand in exactly the images of a caption or of an earlier word: they would say the same twice. */
function withoutEchoes<T extends { feature: Feature }>(found: readonly T[]): T[] {
  const texts = found.map(({ feature }) => feature).filter(({ kind }) => kind !== "column");
  const isEcho = (feature: Feature): boolean =>
    feature.kind === "word" &&
    texts.some(
      (other, i) =>
        (other.kind === "caption" || i < texts.indexOf(feature)) &&
        other.rows.length === feature.rows.length &&
        other.rows.every((row, r) => row === feature.rows[r]),
    );
  return found.filter(({ feature }) => !isEcho(feature));
}
