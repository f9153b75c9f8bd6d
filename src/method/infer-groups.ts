// Stage 2 as a whole: signal -> score -> solver -> soft group weights, without any label.
import { Generator, InvDiffError, rand, scope, tensor } from "../torch/index.ts";
import { fitMixture, type Mixture } from "./mixture.ts";
import {
  bimodality,
  BIMODALITY_THRESHOLD,
  captionBuckets,
  profileScore,
  type ProfileScore,
} from "./profile-score.ts";
import type { Signal } from "./signals.ts";
import { spreadGroups } from "./spread.ts";

export type SolverName = "mixture" | "spread";

export interface InferredGroups {
  /** Soft group weights, [N][count] row-major; rows sum to 1. Group 1 holds the images the base knows badly. */
  readonly weights: Float32Array;
  readonly count: number;
  readonly score: ProfileScore;
  /** One fit per caption bucket (`mixture` only). */
  readonly mixtures: readonly Omit<Mixture, "upper">[];
  /** False: no under-represented second population was found, all images form one group. */
  readonly found: boolean;
}

/**
 * When a bucket counts as two populations, one of them under-represented: the scores must be bimodal, the fit must beat
 * a single Gaussian, the two must stand apart (Ashman's D), and the badly known one must be much the smaller, but not
 * a handful of outliers. Two populations of equal size are no bias (measured on balanced data: shares 0.52 to 0.57).
 */
export const FOUND = { separation: 2, minShare: 0.01, maxShare: 1 / 3, bimodality: BIMODALITY_THRESHOLD };

const holdsMinority = ({ separation, share, bicGain }: Mixture, scores: readonly number[]): boolean =>
  bimodality(scores) > FOUND.bimodality &&
  bicGain > 0 &&
  separation > FOUND.separation &&
  share > FOUND.minShare &&
  share < FOUND.maxShare;

/** Group weights from a measured signal; `seed` starts the `spread` solver. */
export function inferGroups(
  signal: Signal,
  captionOf: Int32Array,
  { solver, count = 2, seed = 0 }: { solver: SolverName; count?: number; seed?: number },
): InferredGroups {
  const buckets = captionBuckets(captionOf);
  const score = profileScore(signal, buckets);
  return solver === "mixture" ? byMixture(score, buckets) : bySpread(signal, score, { count, seed });
}

function byMixture(score: ProfileScore, buckets: readonly (readonly number[])[]): InferredGroups {
  const rows = score.scores.length;
  const upper = new Float64Array(rows);
  let found = false;
  const fits = buckets.map((bucket) => {
    const own = bucket.map((row) => score.scores[row]!);
    const mixture = fitMixture(own);
    if (!holdsMinority(mixture, own)) return mixture;
    found = true;
    bucket.forEach((row, i) => (upper[row] = mixture.upper[i]!));
    return mixture;
  });
  const mixtures = fits.map(({ upper: _, ...summary }) => summary);
  if (!found) return { weights: new Float32Array(rows).fill(1), count: 1, score, mixtures, found };
  const weights = Float32Array.from({ length: 2 * rows }, (_, i) =>
    i % 2 ? upper[i >> 1]! : 1 - upper[i >> 1]!,
  );
  return { weights, count: 2, score, mixtures, found };
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
  return { weights, count, score, mixtures: [], found: true };
}
