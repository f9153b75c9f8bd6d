// Frechet distance between two sets of features (FID when the features are Inception's pool3).
// Heusel et al. 2017, arXiv 1706.08500, eq. 6: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
// Reference: src/test.py get_fid_score (torchmetrics); how the images get there differs, see docs/metrics.md.
import { linalgEigh, linalgSvdvals, noGrad, scope, Tensor } from "../torch/index.ts";
import { featureMoments, type FeatureMoments, type FeatureSet, requireFeatures } from "./moments.ts";

/**
 * Frechet distance in float64; singular covariances (fewer images than dimensions) are fine, equal sets give 0.
 *
 * @param real features [N, D] with N >= 2, or their moments
 * @param fake features [M, D] with M >= 2, or their moments
 * @throws ShapeError when the shapes do not fit or numbers are not finite.
 */
export function frechetDistance(real: FeatureSet, fake: FeatureSet): number {
  requireFeatures(real, fake);
  return noGrad(() =>
    scope(() => {
      const [a, b] = [rootOf(real), rootOf(fake)];
      const overlaps = linalgSvdvals(a.root.matmul(b.root.transpose(0, 1)));
      return distanceOf(a, b, overlaps.sum().item());
    }),
  );
}

/** A set's mean, and a root of its covariance: `root`^T `root` = covariance. */
export interface CovarianceRoot {
  /** [D] */
  readonly mean: Tensor;
  /** [R, D], R the covariance's rank or more. */
  readonly root: Tensor;
  /** Trace of the covariance. */
  readonly trace: number;
  /** Whether row i of `root` is the deviation of image i from the mean, divided by sqrt(M - 1). */
  readonly ofImages: boolean;
}

/** Eigenvalues below this share of the largest, times the dimensions, are rounding (NumPy's rule for the rank). */
const ROUNDING = 2.220446049250313e-16;

/**
 * tr (S1 S2)^(1/2) is the sum of the singular values of R1 R2^T for any roots S = R^T R. For fewer images than dimensions
 * the deviations themselves are the root: nothing is squared, and no eigenvalue that should be 0 comes in as rounding.
 */
export function rootOf(set: FeatureSet): CovarianceRoot {
  if (!(set instanceof Tensor)) return rootOfMoments(set);
  const [images, dimensions] = set.shape as [number, number];
  if (images > dimensions) {
    using moments = featureMoments(set);
    return { ...rootOfMoments(moments), mean: moments.mean.clone() };
  }
  return scope(() => {
    const x = set.to({ dtype: "float64", device: "cpu" });
    const mean = x.mean(0);
    const root = x.sub(mean).div(Math.sqrt(images - 1));
    return { mean, root, trace: root.square().sum().item(), ofImages: true };
  });
}

function rootOfMoments({ mean, covariance }: FeatureMoments): CovarianceRoot {
  const [values, vectors] = linalgEigh(covariance);
  const sizes = values.toArray() as Float64Array;
  const smallest = sizes.length * ROUNDING * sizes.at(-1)!;
  // Ascending: those to keep come last; one at least, for features that are all equal.
  const kept = Math.max(1, sizes.filter((value) => value > smallest && value > 0).length);
  const first = sizes.length - kept;
  const root = vectors
    .slice(1, first)
    .mul(values.slice(0, first).clamp(0).sqrt())
    .transpose(0, 1)
    .contiguous();
  return { mean, root, trace: covariance.trace().item(), ofImages: false };
}

/** The distance from `overlap` = tr (S1 S2)^(1/2); rounding does not make it negative. */
export function distanceOf(a: CovarianceRoot, b: CovarianceRoot, overlap: number): number {
  const means = a.mean.sub(b.mean).square().sum().item();
  return Math.max(0, means + a.trace + b.trace - 2 * overlap);
}
