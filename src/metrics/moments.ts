// Mean and covariance of features that arrive in batches, so that no more than one batch has to be in memory.
// Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1: a batch's own scatter is added about
// its own mean, so that nothing cancels when the mean is large compared with the spread.
import { cat, keep, noGrad, scope, ShapeError, Tensor, zeros } from "../torch/index.ts";

/** Moments of a set of features, float64 on the CPU; released by their owner. */
export interface FeatureMoments extends Disposable {
  /** Number of images. */
  readonly count: number;
  /** [D] */
  readonly mean: Tensor;
  /** Unbiased, [D, D]. */
  readonly covariance: Tensor;
}

/** A set of features: all of them [N, D], or their moments. */
export type FeatureSet = Tensor | FeatureMoments;

/** Rows of a large table that are looked at at once: a float64 copy of them stays small. */
export const ROWS_AT_ONCE = 512;

/** Collects the moments of features [N, D]; holds one matrix [D, D], whatever their number. */
export class MomentsAccumulator implements Disposable {
  readonly dimensions: number;
  readonly #mean: Tensor;
  /** Sum of the outer products of the deviations from the mean. */
  readonly #scatter: Tensor;
  #count = 0;

  /** @param dimensions numbers per image. */
  constructor(dimensions: number) {
    if (!Number.isInteger(dimensions) || dimensions < 1)
      throw new ShapeError(`features of ${dimensions} dimensions; expected an integer of at least 1.`);
    this.dimensions = dimensions;
    this.#mean = keep(zeros([dimensions], { dtype: "float64" }));
    this.#scatter = keep(zeros([dimensions, dimensions], { dtype: "float64" }));
  }

  /** Number of images so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a batch [N, D] of any dtype, N >= 0.
   * @throws ShapeError for another width or for numbers that are not finite.
   */
  add(features: Tensor): void {
    if (features.ndim !== 2 || features.shape[1] !== this.dimensions)
      throw new ShapeError(`features [${features.shape.join(", ")}]; expected [N, ${this.dimensions}].`);
    const added = features.shape[0]!;
    if (added === 0) return;
    noGrad(() =>
      scope(() => {
        requireFinite(features);
        const x = features.to({ dtype: "float64", device: "cpu" });
        const mean = x.mean(0);
        const delta = mean.sub(this.#mean);
        const total = this.#count + added;
        // The two means' distance is one more deviation: scatter += delta delta^T n m / (n + m).
        const between = delta.mul(Math.sqrt((this.#count * added) / total)).unsqueeze(0);
        const rows = cat([x.sub(mean), between]);
        this.#scatter.addmm_(rows.transpose(0, 1), rows);
        this.#mean.add_(delta, { alpha: added / total });
        this.#count = total;
      }),
    );
  }

  /**
   * The moments of what was added so far, owned by the caller; more may be added afterwards.
   * @throws ShapeError for fewer than two images, which have no covariance.
   */
  finish(): FeatureMoments {
    const count = this.#count;
    if (count < 2) throw new ShapeError(`moments of ${count} images; expected at least 2.`);
    const mean = keep(this.#mean.clone());
    const covariance = keep(this.#scatter.div(count - 1));
    return {
      count,
      mean,
      covariance,
      [Symbol.dispose]() {
        mean.dispose();
        covariance.dispose();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#mean.dispose();
    this.#scatter.dispose();
  }
}

/** The moments of features [N, D], owned by the caller. */
export function featureMoments(features: Tensor): FeatureMoments {
  using accumulator = new MomentsAccumulator(features.shape[1] ?? 0);
  for (let start = 0; start < features.shape[0]!; start += ROWS_AT_ONCE)
    scope(() => accumulator.add(features.slice(0, start, start + ROWS_AT_ONCE)));
  return accumulator.finish();
}

/** @throws ShapeError unless both are of at least two images and of the same number of finite dimensions. */
export function requireFeatures(real: FeatureSet, fake: FeatureSet): void {
  const shapes = [real, fake].map((set) =>
    set instanceof Tensor ? set.shape : [set.count, set.mean.shape[0]!],
  );
  const [a, b] = shapes as [number[], number[]];
  if (a.length !== 2 || b.length !== 2 || a[1] !== b[1] || a[0]! < 2 || b[0]! < 2)
    throw new ShapeError(
      `features [${a.join(", ")}] and [${b.join(", ")}]; expected [N, D] and [M, D] with N and M >= 2.`,
    );
  for (const set of [real, fake]) if (set instanceof Tensor) scope(() => requireFinite(set));
}

function requireFinite(features: Tensor): void {
  if (features.isfinite().all().item() === 0)
    throw new ShapeError(
      `features [${features.shape.join(", ")}] hold NaN or infinity; expected finite numbers (a network in float16 overflows).`,
    );
}
