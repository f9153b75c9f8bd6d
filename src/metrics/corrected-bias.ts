// Bias corrected for the classifier's mistakes, with the uncertainty of these in its interval.
import { ShapeError } from "../torch/index.ts";
import { normalisedBias } from "./bias.ts";
import { labelsOf, type PromptEstimates, promptEstimates, resampledCounts } from "./bias-estimate.ts";
import type { BootstrapOptions } from "./bootstrap.ts";
import { correctedShares, inverse, ratesOf, solve } from "./corrected-shares.ts";
import { fastRandom } from "./fast-random.ts";

/** Corrected normalised Bias (0..1) with intervals that include the uncertainty of the confusion matrix. */
export interface CorrectedBias extends PromptEstimates {
  /** `shares[prompt][value]`: corrected shares. */
  shares: number[][];
  /** Why the correction should not be trusted; undefined when nothing is known against it. */
  caution?: string;
}

/** Below this an average image's class says little about what is predicted (Youden's index for two values). */
const INFORMATIVE = 0.5;

/**
 * Normalised Bias of corrected shares. Each resample redraws the prompts' predictions and the held-out images of each true
 * value (a parametric bootstrap of counts and of confusion rows).
 *
 * @param counts `counts[prompt][value]` as predicted
 * @param confusion `confusion[true][predicted]` as counts
 */
export function correctedBias(
  counts: readonly (readonly number[])[],
  confusion: readonly (readonly number[])[],
  { resamples = 2000, seed = 0, level = 0.95 }: BootstrapOptions = {},
): CorrectedBias {
  if (counts.length === 0)
    throw new ShapeError("Bias of no prompt; expected the counts of at least one prompt.");
  const shares = counts.map((own) => correctedShares(own, confusion));
  const random = fastRandom(seed);
  const [labels, held] = [counts.map(labelsOf), confusion.map(labelsOf)];
  const replicates = counts.map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++) {
    const rates = ratesOf(
      held.map((row) => resampledCounts(row, confusion.length, random)),
      confusion.length,
    );
    const inverted = inverse(rates);
    for (const [p, own] of labels.entries()) {
      const drawn = resampledCounts(own, confusion.length, random);
      const observed = drawn.map((count) => count / own.length);
      replicates[p]![r] = normalisedBias(solve(observed, rates, inverted));
    }
  }
  const caution = cautionOf(confusion);
  return {
    ...promptEstimates(shares.map(normalisedBias), replicates, level),
    shares,
    ...(caution === undefined ? {} : { caution }),
  };
}

function cautionOf(confusion: readonly (readonly number[])[]): string | undefined {
  const rates = ratesOf(confusion, confusion.length);
  const hits = rates.map((row, i) => row[i]!);
  // 1 for no mistakes, 0 for guessing.
  const skill = (hits.reduce((sum, rate) => sum + rate, 0) - 1) / (rates.length - 1);
  if (skill >= INFORMATIVE) return undefined;
  return (
    `The classifier recognises its values with rates ${hits.map((rate) => rate.toFixed(2)).join(", ")} only: ` +
    `the corrected Bias rests more on its confusion matrix than on the images.`
  );
}
