// Frechet distance between two sets of features (FID when the features are Inception's pool3).
// Heusel et al. 2017, arXiv 1706.08500, eq. 6: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
import { linalgEigh, linalgEigvalsh, noGrad, scope, ShapeError } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

/**
 * Frechet distance in float64; singular covariances (fewer images than features) are fine.
 *
 * @param real [N, D] with N >= 2
 * @param fake [M, D] with M >= 2
 * @throws ShapeError when the shapes do not fit.
 */
export function frechetDistance(real: Tensor, fake: Tensor): number {
  requireFeatures(real, fake);
  return noGrad(() =>
    scope(() => {
      const a = moments(real);
      const b = moments(fake);
      const meanTerm = a.mean.sub(b.mean).square().sum().item();
      const traces = a.covariance.trace().item() + b.covariance.trace().item();
      return meanTerm + traces - 2 * traceOfSqrtProduct(a.covariance, b.covariance);
    }),
  );
}

/** @throws ShapeError unless both are matrices with at least two rows and the same number of columns. */
export function requireFeatures(real: Tensor, fake: Tensor): void {
  const fits = real.ndim === 2 && fake.ndim === 2 && real.shape[1] === fake.shape[1];
  if (!fits || real.shape[0]! < 2 || fake.shape[0]! < 2)
    throw new ShapeError(
      `features [${real.shape.join(", ")}] and [${fake.shape.join(", ")}]; expected [N, D] and [M, D] with N and M >= 2.`,
    );
}

function moments(features: Tensor): { mean: Tensor; covariance: Tensor } {
  const x = features.to("float64");
  const mean = x.mean(0);
  const centred = x.sub(mean);
  return {
    mean,
    covariance: centred
      .transpose(0, 1)
      .matmul(centred)
      .div(x.shape[0]! - 1),
  };
}

// S1 S2 is similar to R S2 R with the symmetric root R of S1: two symmetric problems, 100 times faster than the general one.
// Rounding makes eigenvalues of singular matrices slightly negative: clamped.
function traceOfSqrtProduct(s1: Tensor, s2: Tensor): number {
  const [values, vectors] = linalgEigh(s1);
  const root = vectors.mul(values.clamp(0).sqrt()).matmul(vectors.transpose(0, 1));
  const product = root.matmul(s2).matmul(root);
  return linalgEigvalsh(product.add(product.transpose(0, 1)).mul(0.5))
    .clamp(0)
    .sqrt()
    .sum()
    .item();
}
