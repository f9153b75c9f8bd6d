// Bias with its intervals: a bootstrap of each prompt's images.
import { normalisedBias } from "./bias.ts";
import { type BootstrapOptions, type Estimate, percentileInterval } from "./bootstrap.ts";
import { fastRandom } from "./fast-random.ts";

/** A number per prompt and their mean over the prompts, with intervals. */
export interface PromptEstimates {
  overall: Estimate;
  perPrompt: Estimate[];
}

/** Normalised Bias (0..1) with intervals, per prompt and over all prompts. */
export interface BiasEstimate extends PromptEstimates {
  /** The reference's Bias, 0 to 2 / K: see {@link normalisedBias}. */
  raw: PromptEstimates;
}

/**
 * Normalised Bias of `counts[prompt][value]` with intervals; each resample redraws every prompt's images.
 * A percentile interval of an absolute difference never reaches below 0, and it is empty when all images agree.
 */
export function biasEstimate(
  counts: readonly (readonly number[])[],
  { resamples = 2000, seed = 0, level = 0.95 }: BootstrapOptions = {},
): BiasEstimate {
  const values = counts.map(normalisedBias);
  const random = fastRandom(seed);
  const labels = counts.map(labelsOf);
  const replicates = counts.map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++)
    for (const [p, own] of counts.entries())
      replicates[p]![r] = normalisedBias(resampledCounts(labels[p]!, own.length, random));
  const scales = counts.map((own) => 2 / own.length);
  const raw = replicates.map((own, p) => own.map((score) => score * scales[p]!));
  return {
    ...promptEstimates(values, replicates, level),
    raw: promptEstimates(
      values.map((value, p) => value * scales[p]!),
      raw,
      level,
    ),
  };
}

/** Intervals of each prompt's value and of their mean, from one replicate per resample and prompt. */
export function promptEstimates(
  values: readonly number[],
  replicates: readonly Float64Array[],
  level: number,
): PromptEstimates {
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const overall = (replicates[0] ?? new Float64Array(1)).map((_, r) =>
    mean(replicates.map((own) => own[r]!)),
  );
  return {
    overall: { value: mean(values), interval: percentileInterval(overall, level) },
    perPrompt: values.map((value, p) => ({ value, interval: percentileInterval(replicates[p]!, level) })),
  };
}

/** One label per image from the counts of each. */
export function labelsOf(counts: readonly number[]): Uint16Array {
  const labels = new Uint16Array(counts.reduce((sum, count) => sum + count, 0));
  let start = 0;
  counts.forEach((count, label) => labels.fill(label, start, (start += count)));
  return labels;
}

/** How often each class occurs among as many labels, drawn from these with replacement. */
export function resampledCounts(labels: ArrayLike<number>, classes: number, random: () => number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[Math.floor(random() * labels.length)]!]!++;
  return counts;
}
