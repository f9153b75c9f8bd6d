// Difference of two models' Bias on the same prompts and seeds.
import { ShapeError } from "../torch/index.ts";
import { normalisedBias } from "./bias.ts";
import { type BootstrapOptions, percentileInterval } from "./bootstrap.ts";
import { countLabels } from "./counts.ts";
import { fastRandom } from "./fast-random.ts";
import { type Comparison, permutationPValue, reaches } from "./paired.ts";

/** Over all prompts, and each prompt by itself. */
export interface BiasComparison extends Comparison {
  readonly perPrompt: Comparison[];
}

/**
 * Normalised Bias of b minus that of a. Intervals redraw the seeds of each prompt, the same for both models; p-values swap
 * the two images of random seeds.
 *
 * @param a predicted labels 0..classes-1 of model a, `a[prompt][seed]`
 * @param b those of model b, in the same order
 */
export function pairedBias(
  a: readonly ArrayLike<number>[],
  b: readonly ArrayLike<number>[],
  { classes, resamples = 2000, seed = 0, level = 0.95 }: BootstrapOptions & { classes: number },
): BiasComparison {
  if (a.length !== b.length || a.length === 0 || a.some((own, p) => own.length !== b[p]!.length))
    throw new ShapeError(
      `labels of [${a.map(({ length }) => length).join(", ")}] and [${b.map(({ length }) => length).join(", ")}] ` +
        `images per prompt; expected two models' images of the same prompts and seeds.`,
    );
  const observed = a.map(
    (own, p) => normalisedBias(countLabels(b[p]!, classes)) - normalisedBias(countLabels(own, classes)),
  );
  const [bootstrap, permutation] = [fastRandom(seed), fastRandom(seed + 1)];
  const redrawn = a.map(() => new Float64Array(resamples));
  const swapped = a.map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++)
    for (const [p, own] of a.entries()) {
      redrawn[p]![r] = differenceOfRedrawn(own, b[p]!, classes, bootstrap);
      swapped[p]![r] = differenceOfSwapped(own, b[p]!, classes, permutation);
    }
  const meanOf = (replicates: readonly Float64Array[]) =>
    new Float64Array(resamples).map(
      (_, r) => replicates.reduce((sum, own) => sum + own[r]!, 0) / replicates.length,
    );
  const compare = (difference: number, drawn: Float64Array, random: Float64Array): Comparison => ({
    difference,
    interval: percentileInterval(drawn, level),
    pValue: permutationPValue(random.filter((x) => reaches(x, difference)).length, resamples),
  });
  const overall = observed.reduce((sum, x) => sum + x, 0) / observed.length;
  return {
    ...compare(overall, meanOf(redrawn), meanOf(swapped)),
    perPrompt: observed.map((difference, p) => compare(difference, redrawn[p]!, swapped[p]!)),
  };
}

function differenceOfRedrawn(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  classes: number,
  random: () => number,
): number {
  const [ofA, ofB] = [new Array<number>(classes).fill(0), new Array<number>(classes).fill(0)];
  for (let i = 0; i < a.length; i++) {
    const drawn = Math.floor(random() * a.length);
    ofA[a[drawn]!]!++;
    ofB[b[drawn]!]!++;
  }
  return normalisedBias(ofB) - normalisedBias(ofA);
}

function differenceOfSwapped(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  classes: number,
  random: () => number,
): number {
  const [ofA, ofB] = [new Array<number>(classes).fill(0), new Array<number>(classes).fill(0)];
  for (let i = 0; i < a.length; i++) {
    const swap = random() < 0.5;
    ofA[(swap ? b : a)[i]!]!++;
    ofB[(swap ? a : b)[i]!]!++;
  }
  return normalisedBias(ofB) - normalisedBias(ofA);
}
