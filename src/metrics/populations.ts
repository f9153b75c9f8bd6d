// Hidden populations in a table of numbers: directions along which the rows fall into a large and a small population.
// Projection pursuit (Friedman and Tukey 1974): whiten, start from the most skewed directions, refine each by EM of two
// Gaussians along Fisher's discriminant of the present memberships, take the clearest, go on orthogonally to it.
import { linalgEigh, noGrad, scope, tensor } from "../torch/index.ts";
import { meanVariance } from "./bimodality.ts";
import { fitMixture, type Mixture, nextMembership } from "./mixture.ts";

/** A direction in the table, and the two populations along it; the upper one is the small one. */
export interface Population {
  /** Projection of each row, [N], of mean 0 and variance 1. */
  readonly scores: Float64Array;
  /** Coefficient of each column in the projection, [width]. */
  readonly direction: Float64Array;
  readonly mixture: Mixture;
  /** How many numbers the choice of the direction had free: one less is what a penalty for it should count. */
  readonly dimensions: number;
}

export interface PopulationOptions {
  /** Number of columns of the table. */
  readonly width: number;
  /** Combinations of the columns to start from, besides the columns themselves. */
  readonly starts?: readonly ArrayLike<number>[];
  /** At most this many populations. */
  readonly limit: number;
  /** Whether scores along a direction are worth the fit of a mixture. */
  readonly plausible: (scores: Float64Array) => boolean;
  /** Whether a direction holds a population worth the name. */
  readonly accept: (candidate: Population) => boolean;
}

/** Rows that a dimension needs before a direction may bend to it: with fewer, pure chance looks like populations. */
const ROWS_PER_DIMENSION = 50;
/** Principal axes below this share of the largest variance are rounding. */
const SMALLEST_VARIANCE = 1e-6;
/** Directions are looked for among so many rows; their populations are then fitted to all. */
const SEARCHED_ROWS = 5000;
/** Directions closer than this (cosine) are the same. */
const SAME = 0.995;
/** Memberships that correlate more are the same population. */
const SAME_ROWS = 0.8;

/** The small populations of a table [N][width] of standardised columns, the clearest first. */
export function findPopulations(table: Float64Array, options: PopulationOptions): Population[] {
  const { width, starts = [], limit, plausible, accept } = options;
  const { rows, dimensions, axes, deviations } = whiten(table, width);
  // A combination of the columns in whitened coordinates (covariant), and a whitened direction in columns.
  const inward = (c: ArrayLike<number>): Float64Array =>
    deviations.map((s, k) => {
      let sum = 0;
      for (let j = 0; j < width; j++) sum += c[j]! * axes[j * dimensions + k]!;
      return s * sum;
    });
  const outward = (w: Float64Array): Float64Array =>
    Float64Array.from({ length: width }, (_, j) =>
      w.reduce((sum, x, k) => sum + (x * axes[j * dimensions + k]!) / deviations[k]!, 0),
    );
  const columns = Array.from({ length: width }, (_, j) =>
    Array.from({ length: width }, (_, i) => +(i === j)),
  );
  const all = [...starts, ...columns].map(inward);
  const sample = everyNth(rows, dimensions);
  const accepted = (weights: readonly Float64Array[]): Found[] =>
    weights
      .map((weight) => ({ weight, scores: project(rows, weight) }))
      .filter(({ scores }) => plausible(scores))
      .map(({ weight, scores }) => ({
        weight,
        population: { scores, direction: outward(weight), mixture: fitMixture(scores), dimensions },
      }))
      .filter(({ population }) => accept(population))
      .sort((a, b) => b.population.mixture.separation - a.population.mixture.separation);
  const found: Found[] = [];
  while (found.length < Math.min(limit, dimensions)) {
    const taken = found.map(({ weight }) => weight);
    const [best] = accepted(
      candidates(
        sample,
        all.map((weight) => Float64Array.from(weight)),
        taken,
      ),
    );
    if (!best) break;
    found.push(best);
  }
  // The search went by directions that show one attribute only. A plain start may show the same rows more clearly: of
  // few columns, EM fits all tails rather than keep the two apart.
  const plain = accepted(all.filter((weight) => orthonormalise(weight, [])));
  if (found.length === 0) return plain.slice(0, 1).map(({ population }) => population);
  return found.map(({ population }) => {
    const { upper, separation } = population.mixture;
    const clearer = plain.find(
      ({ population: { mixture } }) =>
        mixture.separation > separation && correlation(mixture.upper, upper) > SAME_ROWS,
    );
    return clearer?.population ?? population;
  });
}

/** At most `SEARCHED_ROWS` rows, evenly spread. */
function everyNth(rows: Float64Array, dimensions: number): Float64Array {
  const step = Math.ceil(rows.length / dimensions / SEARCHED_ROWS);
  return step === 1 ? rows : rows.filter((_, i) => Math.floor(i / dimensions) % step === 0);
}

interface Found {
  readonly weight: Float64Array;
  readonly population: Population;
}

function correlation(a: Float64Array, b: Float64Array): number {
  const [u, v] = [meanVariance(a), meanVariance(b)];
  return (dot(a, b) / a.length - u.mean * v.mean) / Math.sqrt(u.variance * v.variance || 1);
}

/** Distinct directions that EM ends at, orthogonal to those taken. */
function candidates(
  rows: Float64Array,
  starts: readonly Float64Array[],
  taken: readonly Float64Array[],
): Float64Array[] {
  const begun: Float64Array[] = [];
  const ended: Float64Array[] = [];
  const addNew = (list: Float64Array[], weight: Float64Array): boolean => {
    const isNew = !list.some((other) => Math.abs(dot(weight, other)) > SAME);
    if (isNew) list.push(weight);
    return isNew;
  };
  for (const start of starts) {
    if (!orthonormalise(start, taken)) continue;
    for (const weight of [start, mostSkewed(rows, start, taken)]) {
      if (!addNew(begun, weight)) continue;
      for (const tied of [true, false]) {
        const end = discriminant(rows, weight, { taken, tied });
        if (end) addNew(ended, end);
      }
    }
  }
  return ended;
}

/** Rows in uncorrelated coordinates of variance 1: row * axes / deviations, with `axes` [width][dimensions]. */
function whiten(table: Float64Array, width: number) {
  const count = table.length / width;
  const most = Math.max(1, Math.min(width, Math.floor(count / ROWS_PER_DIMENSION)));
  return noGrad(() =>
    scope(() => {
      const x = tensor(table, { shape: [count, width] });
      const [values, vectors] = linalgEigh(x.transpose(0, 1).matmul(x).div(count));
      const variances = values.toNumbers();
      const enough = (value: number) => value > SMALLEST_VARIANCE * variances.at(-1)!;
      const dimensions = Math.max(1, variances.slice(-most).filter(enough).length);
      const deviations = Float64Array.from(variances.slice(-dimensions), (value) => Math.sqrt(value) || 1);
      const axes = vectors.slice(1, width - dimensions, width).contiguous();
      const rows = x.matmul(axes).div(tensor(deviations));
      return {
        rows: rows.toArray() as Float64Array,
        axes: axes.toArray() as Float64Array,
        dimensions,
        deviations,
      };
    }),
  );
}

/** Sum of the products. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Each row times the weight, [N]. */
function project(rows: Float64Array, weight: Float64Array): Float64Array {
  const d = weight.length;
  const out = new Float64Array(rows.length / d);
  for (let i = 0, at = 0; i < out.length; i++) {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += rows[at++]! * weight[k]!;
    out[i] = sum;
  }
  return out;
}

/** Sum of the rows, each times its factor, [dimensions]. */
function weightedSum(rows: Float64Array, factors: Float64Array): Float64Array {
  const d = rows.length / factors.length;
  const sum = new Float64Array(d);
  for (let i = 0, at = 0; i < factors.length; i++) {
    const f = factors[i]!;
    for (let k = 0; k < d; k++) sum[k]! += f * rows[at++]!;
  }
  return sum;
}

/** Makes `weight` a unit vector orthogonal to those taken; false when nothing of it is left. */
function orthonormalise(weight: Float64Array, taken: readonly Float64Array[]): boolean {
  for (const other of taken) {
    const along = dot(weight, other);
    for (let k = 0; k < weight.length; k++) weight[k]! -= along * other[k]!;
  }
  const length = Math.sqrt(dot(weight, weight));
  if (!(length > 1e-9)) return false;
  for (let k = 0; k < weight.length; k++) weight[k]! /= length;
  return true;
}

/** Fixed point of w <- E[z (w.z)^2], a direction of locally greatest skewness: a small population makes a long tail. */
function mostSkewed(rows: Float64Array, start: Float64Array, taken: readonly Float64Array[]): Float64Array {
  let weight = start;
  for (let step = 0; step < 20; step++) {
    const next = weightedSum(
      rows,
      project(rows, weight).map((y) => y * y),
    );
    if (!orthonormalise(next, taken)) break;
    const change = 1 - Math.abs(dot(next, weight));
    weight = next;
    if (change < 1e-6) break;
  }
  return weight;
}

/**
 * EM of two Gaussians along Fisher's discriminant; undefined when one of the two dies out. `tied`: of one deviation
 * along it, which keeps the one from becoming the wide tails of both, but divides a small population that is wide.
 */
function discriminant(
  rows: Float64Array,
  start: Float64Array,
  { taken, tied }: { taken: readonly Float64Array[]; tied: boolean },
): Float64Array | undefined {
  let weight = start;
  let projected = project(rows, weight);
  // The longer tail is the small population's side.
  const tail = projected.reduce((sum, y) => sum + y ** 3, 0) < 0 ? -1 : 1;
  let upper: Float64Array = projected.map((y) => +(tail * y > 1));
  for (let step = 0; step < 60; step++) {
    const share = upper.reduce((sum, p) => sum + p, 0) / upper.length;
    if (!(share > 1e-3 && share < 1 - 1e-3)) return undefined;
    // The rows have mean 0 and covariance 1, so that the discriminant is along the sum of the upper rows.
    const next = weightedSum(rows, upper);
    if (!orthonormalise(next, taken)) return undefined;
    const change = 1 - dot(next, weight);
    weight = next;
    projected = project(rows, weight);
    upper = nextMembership(projected, upper, tied);
    if (step > 3 && change < 1e-7) break;
  }
  return weight;
}
