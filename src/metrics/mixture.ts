// A mixture of two Gaussians by EM (Dempster, Laird and Rubin 1977), with the numbers that tell whether there are two
// populations at all.

export interface Mixture {
  /** Posterior of the upper component for each value. */
  readonly upper: Float64Array;
  readonly means: readonly [number, number];
  readonly deviations: readonly [number, number];
  /** Share of the upper component. */
  readonly share: number;
  /** Distance of the means in units of the joint deviation (Ashman's D); above 2: clearly apart. */
  readonly separation: number;
  /** BIC of one Gaussian minus BIC of two: positive favours two. */
  readonly bicGain: number;
}

const LOG_2PI = Math.log(2 * Math.PI);
const logDensity = (x: number, mean: number, deviation: number): number =>
  -0.5 * (LOG_2PI + ((x - mean) / deviation) ** 2) - Math.log(deviation);

function gaussian(
  values: Float64Array,
  weightOf: (i: number) => number,
): { mean: number; deviation: number; total: number } {
  let total = 0;
  let mean = 0;
  for (let i = 0; i < values.length; i++) {
    const w = weightOf(i);
    total += w;
    mean += w * values[i]!;
  }
  mean /= total || 1;
  let variance = 0;
  for (let i = 0; i < values.length; i++) variance += weightOf(i) * (values[i]! - mean) ** 2;
  return { mean, deviation: Math.sqrt(variance / (total || 1)), total };
}

/** One EM step: fits two Gaussians to the memberships of the upper one, then makes `upper` their posteriors. */
function emStep(
  values: Float64Array,
  upper: Float64Array,
  { floor, tied = false }: { floor: number; tied?: boolean },
): Pick<Mixture, "means" | "deviations" | "share"> & { logLikelihood: number } {
  const a = gaussian(values, (i) => 1 - upper[i]!);
  const b = gaussian(values, (i) => upper[i]!);
  const joint = Math.sqrt((a.total * a.deviation ** 2 + b.total * b.deviation ** 2) / values.length);
  a.deviation = Math.max(tied ? joint : a.deviation, floor);
  b.deviation = Math.max(tied ? joint : b.deviation, floor);
  const share = Math.min(1 - 1e-9, Math.max(1e-9, b.total / values.length));
  const [logA, logB] = [Math.log(1 - share), Math.log(share)];
  let logLikelihood = 0;
  values.forEach((x, i) => {
    const la = logA + logDensity(x, a.mean, a.deviation);
    const lb = logB + logDensity(x, b.mean, b.deviation);
    const top = Math.max(la, lb);
    const density = top + Math.log(Math.exp(la - top) + Math.exp(lb - top));
    logLikelihood += density;
    upper[i] = Math.exp(lb - density);
  });
  return {
    means: [a.mean, b.mean],
    deviations: [a.deviation, b.deviation],
    share: b.total / values.length,
    logLikelihood,
  };
}

/** Posteriors of the upper Gaussian after one EM step; `tied`: both of the same deviation. */
export function nextMembership(values: Float64Array, upper: Float64Array, tied: boolean): Float64Array {
  const next = Float64Array.from(upper);
  const { means } = emStep(values, next, { floor: 1e-3, tied });
  clampTails(values, { upper: next, means });
  return next;
}

/** Fits the mixture from one start: the values above a cut form the first guess of the upper component. */
function fit(
  values: Float64Array,
  cut: number,
  floor: number,
): { mixture: Omit<Mixture, "separation" | "bicGain">; logLikelihood: number } {
  const upper = Float64Array.from(values, (x) => (x > cut ? 1 : 0));
  let last = emStep(values, upper, { floor });
  for (let iteration = 1; iteration < 200; iteration++) {
    const next = emStep(values, upper, { floor });
    const converged = next.logLikelihood - last.logLikelihood < 1e-8 * Math.abs(next.logLikelihood);
    last = next;
    if (converged) break;
  }
  const { logLikelihood, ...parameters } = last;
  return { mixture: { upper, ...parameters }, logLikelihood };
}

/** The best of several deterministic starts; component 0 has the lower mean. */
export function fitMixture(scores: ArrayLike<number>): Mixture {
  const values = Float64Array.from(scores);
  const sorted = Float64Array.from(values).sort();
  const single = gaussian(values, () => 1);
  // A component narrower than this would be a repeated value, not a population.
  const floor = Math.max(1e-9, 0.02 * single.deviation);
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  const fits = [0.5, 0.7, 0.8, 0.9, 0.95].map((q) => fit(values, quantile(q), floor));
  const rank = ({ mixture: { means }, logLikelihood }: (typeof fits)[number]): number =>
    means[1] >= means[0] ? logLikelihood : -Infinity;
  const best = fits.reduce((x, y) => (rank(y) > rank(x) ? y : x));
  const { mixture } = best;
  // A wide component would claim the far side of a narrow one: posteriors are made to rise with the score.
  clampTails(values, mixture);
  const [da, db] = mixture.deviations;
  const separation = (Math.SQRT2 * (mixture.means[1] - mixture.means[0])) / Math.sqrt(da ** 2 + db ** 2);
  let oneLog = 0;
  for (const x of values) oneLog += logDensity(x, single.mean, Math.max(single.deviation, floor));
  const bicGain = 2 * (best.logLikelihood - oneLog) - 3 * Math.log(values.length);
  return { ...mixture, separation, bicGain };
}

function clampTails(values: Float64Array, { upper, means }: Pick<Mixture, "upper" | "means">): void {
  values.forEach((x, i) => {
    if (x <= means[0] && upper[i]! > 0.5) upper[i] = 0;
    if (x >= means[1] && upper[i]! < 0.5) upper[i] = 1;
  });
}
