// Stage 2 as a whole: signal -> hidden attributes -> soft group weights, without any label.
import {
  bimodality,
  BIMODALITY_THRESHOLD,
  captionBuckets,
  combineAttributes,
  findPopulations,
  fitMixture,
  type HiddenAttribute,
  matchAttributes,
  type Mixture,
  type Population,
  spreadGroups,
  standardise,
} from "../metrics/index.ts";
import { Generator, InvDiffError, rand, scope, tensor } from "../torch/index.ts";
import { profileScore, type ProfileScore } from "./profile-score.ts";
import type { Signal } from "./signals.ts";

export type SolverName = "mixture" | "spread";

export interface InferredGroups {
  /** Soft group weights, [N][count] row-major; rows sum to 1. Group 0 is what the base knows well in every way. */
  readonly weights: Float32Array;
  readonly count: number;
  /** With attributes found, `scores` are those of the first. */
  readonly score: ProfileScore;
  /** One fit per caption bucket, of its first attribute (`mixture` only). */
  readonly mixtures: readonly Omit<Mixture, "upper">[];
  /** The hidden attributes that the groups are the combinations of, the clearest first (`mixture` only). */
  readonly attributes: readonly HiddenAttribute[];
  /** False: no under-represented second population was found, all images form one group. */
  readonly found: boolean;
}

/**
 * When a direction in a bucket's losses counts as an attribute with an under-represented value: the scores must be
 * bimodal, the fit must beat a single Gaussian, the two must stand apart (Ashman's D), and the small one must be much
 * the smaller, but not a handful of outliers. Two populations of equal size are no bias (measured on balanced data:
 * shares 0.52 to 0.57). And the base must know the small one worse: its losses lie `excess` deviations higher. A
 * population that is merely another kind of picture (plumages) has as high losses on the average as the rest.
 */
export const FOUND = {
  separation: 2,
  minShare: 0.01,
  maxShare: 1 / 3,
  bimodality: BIMODALITY_THRESHOLD,
  excess: 0.1,
};

/** At most 8 groups: with more, cells would hold a handful of images. */
const MAX_ATTRIBUTES = 3;

/** Group weights from a measured signal. `count` is an upper limit for `mixture` (default 8), exact for `spread` (2). */
export function inferGroups(
  signal: Signal,
  captionOf: Int32Array,
  { solver, count, seed = 0 }: { solver: SolverName; count?: number | undefined; seed?: number },
): InferredGroups {
  const buckets = captionBuckets(captionOf);
  const standard = standardise(signal.losses, signal.columns.length, buckets);
  const score = profileScore(standard, signal.columns.length, buckets);
  return solver === "mixture"
    ? byMixture(signal.columns, { standard, buckets, score }, count ?? 2 ** MAX_ATTRIBUTES)
    : bySpread(signal, score, { count: count ?? 2, seed });
}

interface Standardised {
  /** [N][columns] */
  readonly standard: Float64Array;
  readonly buckets: readonly (readonly number[])[];
  readonly score: ProfileScore;
}

function byMixture(
  columns: Signal["columns"],
  { standard, buckets, score }: Standardised,
  count: number,
): InferredGroups {
  const width = columns.length;
  // Where losses were compared with the empty caption, only those tell what the caption makes unlikely.
  const contrasts = columns.flatMap(({ contrast }, column) => (contrast ? [column] : []));
  const telling = contrasts.length > 0 ? contrasts : columns.map((_, column) => column);
  const limit = Math.min(MAX_ATTRIBUTES, Math.ceil(Math.log2(Math.max(1, count))));
  const found = buckets.map((rows) => {
    const table = new Float64Array(rows.length * width);
    rows.forEach((row, i) => table.set(standard.subarray(row * width, (row + 1) * width), i * width));
    const excess = (upper: Float64Array): number => {
      let sum = 0;
      for (const column of telling) upper.forEach((p, i) => (sum += p * table[i * width + column]!));
      return sum / (telling.length * upper.reduce((total, p) => total + p, 0));
    };
    const plausible = (scores: Float64Array): boolean => bimodality(scores) > FOUND.bimodality;
    const accept = ({ mixture, dimensions }: Population): boolean =>
      mixture.bicGain > (dimensions - 1) * Math.log(rows.length) &&
      mixture.separation > FOUND.separation &&
      mixture.share > FOUND.minShare &&
      mixture.share < FOUND.maxShare &&
      excess(mixture.upper) > FOUND.excess;
    return findPopulations(table, { width, starts: [score.weights], limit, plausible, accept });
  });
  const attributes = matchAttributes(found, { standard, buckets, width, limit });
  const fits = found.map(
    ([first], b) => first?.mixture ?? fitMixture(buckets[b]!.map((row) => score.scores[row]!)),
  );
  const mixtures = fits.map(({ upper: _, ...summary }) => summary);
  const rows = score.scores.length;
  const first = attributes[0];
  if (!first)
    return { weights: new Float32Array(rows).fill(1), count: 1, score, mixtures, attributes, found: false };
  const scores = score.scores.map((own, row) => (Number.isNaN(first.scores[row]) ? own : first.scores[row]!));
  const groups = combineAttributes(attributes, rows, count);
  return { ...groups, score: { ...score, scores }, mixtures, attributes, found: true };
}

/** The reference's way works on the mean loss of each image, over all captions together. */
function bySpread(
  { losses, columns }: Signal,
  score: ProfileScore,
  { count, seed }: { count: number; seed: number },
): InferredGroups {
  const rows = score.scores.length;
  const weights = scope(() => {
    const perImage = tensor(losses, { shape: [rows, columns.length] }).mean(1);
    const initial = rand([rows, count], { generator: new Generator().manualSeed(seed) });
    using solved = spreadGroups(perImage, initial);
    return solved.toArray() as Float32Array;
  });
  if (!weights.every(Number.isFinite))
    throw new InvDiffError(
      `The spread solver ended without finite weights for ${count} groups: one group lost all its weight. Use fewer groups, or the mixture solver.`,
    );
  return { weights, count, score, mixtures: [], attributes: [], found: true };
}
