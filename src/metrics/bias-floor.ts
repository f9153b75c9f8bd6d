// What Bias a model without any would show: with few images the shares differ by chance, and Bias is never below 0.
import { ShapeError } from "../torch/index.ts";
import { normalisedBias } from "./bias.ts";
import { quantileOfSorted } from "./bootstrap.ts";
import { fastRandom } from "./fast-random.ts";

/** Normalised Bias (0..1) by chance alone. */
export interface BiasFloor {
  /** Its mean; about 0.8 / sqrt(n) for two values. */
  readonly expected: number;
  /** Exceeded in (1 - level) of the cases, so that a Bias below it is no sign of one. */
  readonly upper: number;
}

export interface BiasFloorOptions {
  /** Number of prompts that Bias is averaged over; default 1. */
  readonly prompts?: number;
  /** Default 0.95. */
  readonly level?: number;
  /** Number of simulated models, where the exact sum is too long; default 10,000. */
  readonly simulations?: number;
  readonly seed?: number;
}

/**
 * Bias of `images` per prompt when each of the K values is equally likely: exactly for two values and one prompt, else
 * simulated.
 */
export function biasFloor(
  images: number,
  values: number,
  { prompts = 1, level = 0.95, simulations = 10_000, seed = 0 }: BiasFloorOptions = {},
): BiasFloor {
  if (
    ![images, prompts].every((n) => Number.isInteger(n) && n >= 1) ||
    !Number.isInteger(values) ||
    values < 2
  )
    throw new ShapeError(
      `Bias by chance of ${prompts} prompts with ${images} images and ${values} values; expected at least 1, 1 and 2.`,
    );
  if (values === 2 && prompts === 1) return ofFairCoin(images, level);
  const random = fastRandom(seed);
  const biases = Float64Array.from({ length: simulations }, () => {
    let sum = 0;
    for (let p = 0; p < prompts; p++) {
      const counts = new Array<number>(values).fill(0);
      for (let i = 0; i < images; i++) counts[Math.floor(random() * values)]!++;
      sum += normalisedBias(counts);
    }
    return sum / prompts;
  }).sort();
  return {
    expected: biases.reduce((sum, x) => sum + x, 0) / simulations,
    upper: quantileOfSorted(biases, level),
  };
}

/** |2 h / n - 1| with h binomial. */
function ofFairCoin(n: number, level: number): BiasFloor {
  const probability = new Float64Array(n + 1);
  let logarithm = -n * Math.LN2;
  for (let h = 0; h <= n; h++) {
    probability[h] = Math.exp(logarithm);
    logarithm += Math.log((n - h) / (h + 1));
  }
  let expected = 0;
  let below = 0;
  let upper = 1;
  let reached = false;
  // From the middle outwards: both counts that give one Bias at once.
  for (let h = Math.floor(n / 2); h >= 0; h--) {
    const value = 1 - (2 * h) / n;
    const mass = probability[h]! * (2 * h === n ? 1 : 2);
    expected += mass * value;
    below += mass;
    if (!reached && below >= level) [upper, reached] = [value, true];
  }
  return { expected, upper };
}
