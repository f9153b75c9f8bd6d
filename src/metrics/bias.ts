// Bias of generated images towards some values of an attribute, from how often each value was generated.
// InvDiff (arXiv 2412.08480), section 5; reference: src/utils/score (mean pairwise difference of the shares).
import { ShapeError } from "../torch/index.ts";
import { countLabels } from "./counts.ts";

/** Bias over several prompts. */
export interface BiasReport {
  /** The reference's Bias of each prompt: 0 (all values equally frequent) to 2 / K (only one value). */
  biasScores: number[];
  /** Mean of `biasScores`. */
  biasScore: number;
  /** Population standard deviation of `biasScores`. */
  stdScore: number;
  /** `biasScores` on the scale 0..1 for any number of values, see {@link normalisedBias}. */
  normalisedScores: number[];
  /** Mean of `normalisedScores`. */
  normalisedScore: number;
}

/**
 * The reference's Bias of one prompt: the mean over all pairs of attribute values of |share_i - share_j|.
 *
 * @param counts images per attribute value, length K >= 2.
 * @throws ShapeError for fewer than two values, negative counts, or no image at all.
 */
export function promptBias(counts: ArrayLike<number>): number {
  const values = counts.length;
  let total = 0;
  let valid = values >= 2;
  for (let i = 0; i < values; i++) {
    total += counts[i]!;
    valid &&= counts[i]! >= 0;
  }
  if (!valid || !(total > 0))
    throw new ShapeError(
      `Bias of the counts [${Array.from(counts).join(", ")}]; expected at least two counts >= 0 and at least one image.`,
    );
  let spread = 0;
  for (let i = 0; i < values; i++)
    for (let j = i + 1; j < values; j++) spread += Math.abs(counts[i]! - counts[j]!);
  return spread / total / ((values * (values - 1)) / 2);
}

/**
 * Bias of one prompt on the scale 0..1: the reference's Bias times K / 2, because its largest value (all images show one
 * value) is 2 / K. 0: all values equally frequent; 1: one value only. For K = 2 both are |p1 - p2|.
 */
export function normalisedBias(counts: ArrayLike<number>): number {
  return (promptBias(counts) * counts.length) / 2;
}

/** Bias per prompt and over all prompts; `counts[prompt][value]`. */
export function bias(counts: readonly ArrayLike<number>[]): BiasReport {
  if (counts.length === 0)
    throw new ShapeError("Bias of no prompt; expected the counts of at least one prompt.");
  const biasScores = counts.map(promptBias);
  const normalisedScores = counts.map(normalisedBias);
  const biasScore = mean(biasScores);
  const stdScore = Math.sqrt(mean(biasScores.map((score) => (score - biasScore) ** 2)));
  return { biasScores, biasScore, stdScore, normalisedScores, normalisedScore: mean(normalisedScores) };
}

/** Normalised Bias (0..1) of one prompt's predicted labels 0..classes-1. */
export function biasFromPredictions(labels: ArrayLike<number>, classes: number): number {
  return normalisedBias(countLabels(labels, classes));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
