/** What the autoencoder is trained on: errors of pixels and of their differences, and a light KL term. */
import type { LatentDistribution } from "../../src/models/index.ts";
import { noGrad, scope, type Tensor } from "../../src/torch/index.ts";
import type { ImageTower } from "./image-tower.ts";

/** Weight of the error of neighbouring pixels' differences: it keeps edges sharp. */
const EDGE_WEIGHT = 0.5;
/** Weight of the KL divergence per latent element: only enough to keep the latents smooth. */
const KL_WEIGHT = 3e-4;
/** With an image tower: weight of the squared error, which the absolute one lacks: small things in strong colours count. */
const SQUARE_WEIGHT = 1;
/** With an image tower: weight of the error of its feature maps (as in LPIPS, https://arxiv.org/abs/1801.03924). */
const FEATURE_WEIGHT = 0.1;

export interface VaeLoss {
  readonly loss: Tensor;
  readonly pixels: Tensor;
  readonly edges: Tensor;
  readonly kl: Tensor;
}

/** Scalars, for pictures and reconstructions [B, 3, H, W] in [-1, 1]. */
export function vaeLoss(
  images: Tensor,
  reconstructed: Tensor,
  { posterior, tower }: { posterior: LatentDistribution; tower?: ImageTower },
): VaeLoss {
  return scope(() => {
    const error = reconstructed.sub(images);
    const pixels = error.abs().mean();
    const edges = differences(error, 2).abs().mean().add(differences(error, 3).abs().mean());
    const kl = posterior
      .kl()
      .mean()
      .div(posterior.mean.numel / posterior.mean.shape[0]!);
    const plain = pixels.add(edges.mul(EDGE_WEIGHT)).add(kl.mul(KL_WEIGHT));
    if (tower === undefined) return { loss: plain, pixels, edges, kl };
    const squares = error.square().mean().mul(SQUARE_WEIGHT);
    const features = featureError(tower, images, reconstructed).mul(FEATURE_WEIGHT);
    return { loss: plain.add(squares).add(features), pixels, edges, kl };
  });
}

/** Mean absolute error of the tower's feature maps, added over its layers. */
function featureError(tower: ImageTower, images: Tensor, reconstructed: Tensor): Tensor {
  const wanted = noGrad(() => tower.maps(images));
  const given = tower.maps(reconstructed);
  return given.map((map, i) => map.sub(wanted[i]!).abs().mean()).reduce((sum, value) => sum.add(value));
}

/** Each row minus the one above (dim 2), or each column minus the one on its left (dim 3). */
function differences(images: Tensor, dim: 2 | 3): Tensor {
  const length = images.shape[dim]! - 1;
  return images.narrow(dim, 1, length).sub(images.narrow(dim, 0, length));
}
