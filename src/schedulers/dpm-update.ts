// The update formulas of DPM-Solver as weights of what they add up, so that one loop serves all of them.
// Deterministic: arXiv 2206.00927 and 2211.01095; with noise: 2211.01095 appendix A. Rounded to float32 as in diffusers.
import type { Tensor } from "../torch/index.ts";
import { exp32, log32, root32, sqrt32, times } from "./float32.ts";

/** "++" integrates the clean sample, the others the noise; "sde" adds fresh noise at every step. */
export type AlgorithmType = "dpmsolver++" | "sde-dpmsolver++" | "dpmsolver" | "sde-dpmsolver";
/** How order 2 weighs its difference: by half of D_0's weight, or by the exact integral. */
export type SolverType = "midpoint" | "heun";

/** A variance-preserving noise level: alpha^2 + sigma^2 = 1, lambda = log(alpha / sigma). */
export interface NoiseLevel {
  readonly alpha: number;
  readonly sigma: number;
  readonly lambda: number;
}

interface Levels {
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
}

/** The next sample is `sample` * x + the sum of `differences[i]` * D_i + `noise` * standard normal noise. */
export interface UpdateWeights {
  readonly sample: number;
  readonly differences: readonly number[];
  readonly noise?: number;
}

const f32 = Math.fround;
const exp = (value: number): number => exp32([value])[0]!;

/** The levels where noise and signal have these ratios, float32 values. */
export function noiseLevels(ratios: readonly number[]): NoiseLevel[] {
  const alphas = sqrt32(ratios.map((ratio) => f32(f32(ratio * ratio) + 1))).map((root) => f32(1 / root));
  const sigmas = ratios.map((ratio, i) => f32(ratio * alphas[i]!));
  const [logAlphas, logSigmas] = [log32(alphas), log32(sigmas)];
  return ratios.map((_, i) => ({
    alpha: alphas[i]!,
    sigma: sigmas[i]!,
    lambda: f32(logAlphas[i]! - logSigmas[i]!),
  }));
}

/** Weights of an update of order 1, 2 or 3 from one noise level to the next. */
export function updateWeights(
  { algorithm, solver, order }: { algorithm: AlgorithmType; solver: SolverType; order: number },
  levels: Levels,
): UpdateWeights {
  const h = f32(levels.to.lambda - levels.from.lambda);
  const { sample, exact, noise } = FORMULAS[algorithm](h, levels);
  const isMidpoint = order === 2 && solver === "midpoint";
  const differences = isMidpoint ? [exact[0], f32(0.5 * exact[0])] : exact.slice(0, order);
  return { sample, differences, noise };
}

/** Weights with the differences' exact integrals, and the step h in lambda. */
type Formula = (
  h: number,
  levels: Levels,
) => { sample: number; exact: readonly [number, number, number]; noise?: number };

const FORMULAS: Readonly<Record<AlgorithmType, Formula>> = {
  "dpmsolver++": (h, { from, to }) => {
    const k = f32(exp(-h) - 1);
    return {
      sample: f32(to.sigma / from.sigma),
      exact: [
        -f32(to.alpha * k),
        f32(to.alpha * f32(f32(k / h) + 1)),
        -f32(to.alpha * f32(f32(f32(k + h) / f32(h * h)) - 0.5)),
      ],
    };
  },
  "sde-dpmsolver++": (h, { from, to }) => {
    const [k, h2] = [f32(1 - exp(-2 * h)), 2 * h];
    return {
      sample: f32(f32(to.sigma / from.sigma) * exp(-h)),
      exact: [
        f32(to.alpha * k),
        f32(to.alpha * f32(f32(k / -h2) + 1)),
        f32(to.alpha * f32(f32(f32(k - h2) / f32(h2 * h2)) - 0.5)),
      ],
      noise: f32(to.sigma * root32(k)),
    };
  },
  dpmsolver: (h, { from, to }) => {
    const k = f32(exp(h) - 1);
    return {
      sample: f32(to.alpha / from.alpha),
      exact: [
        -f32(to.sigma * k),
        -f32(to.sigma * f32(f32(k / h) - 1)),
        -f32(to.sigma * f32(f32(f32(k - h) / f32(h * h)) - 0.5)),
      ],
    };
  },
  "sde-dpmsolver": (h, levels) => {
    const { sample, exact } = FORMULAS.dpmsolver(h, levels);
    const noise = f32(levels.to.sigma * root32(f32(exp(2 * h) - 1)));
    return { sample, exact: [2 * exact[0], 2 * exact[1], NaN], noise };
  },
};

/**
 * D_0, D_1, ... of the outputs (newest first): the newest, and its divided differences over lambda. `levels`: the one
 * stepped to, then those of the outputs.
 */
export function dividedDifferences(outputs: readonly Tensor[], levels: readonly NoiseLevel[]): Tensor[] {
  const [newest, before, earlier] = outputs as [Tensor, Tensor?, Tensor?];
  if (before === undefined) return [newest];
  const [h, h0, h1 = NaN] = levels.slice(1).map(({ lambda }, i) => f32(levels[i]!.lambda - lambda));
  const r0 = f32(h0! / h!);
  const last = times(f32(1 / r0), newest.sub(before));
  if (earlier === undefined) return [newest, last];
  const r1 = f32(h1 / h!);
  const change = last.sub(times(f32(1 / r1), before.sub(earlier)));
  const sum = f32(r0 + r1);
  return [newest, last.add(times(f32(r0 / sum), change)), times(f32(1 / sum), change)];
}
