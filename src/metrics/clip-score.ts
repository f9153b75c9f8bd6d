/**
 * CLIPScore: how well images fit their texts (Hessel et al. 2021, https://arxiv.org/abs/2104.08718), in the scale of
 * torchmetrics, where 100 is a perfect fit.
 */
import { scope, ShapeError, type Tensor } from "../torch/index.ts";

/**
 * 100 times the cosine of each image's embedding and its text's, [N], from embeddings [N, D] of any length.
 * @throws ShapeError when they are no pairs.
 */
export function clipScores(imageEmbeds: Tensor, textEmbeds: Tensor): Tensor {
  if (imageEmbeds.ndim !== 2 || imageEmbeds.shape.join() !== textEmbeds.shape.join()) {
    const shapes = `image embeddings [${imageEmbeds.shape.join(", ")}] and text embeddings [${textEmbeds.shape.join(", ")}]`;
    throw new ShapeError(`${shapes} are no pairs; expected two of one shape [N, D]`);
  }
  return scope(() => {
    const length = (xs: Tensor) => xs.square().sum([1]).sqrt();
    const products = imageEmbeds.mul(textEmbeds).sum([1]);
    return products.div(length(imageEmbeds).mul(length(textEmbeds))).mul(100);
  });
}

/** Mean of the scores, those below 0 counted as 0. NaN without any pair. */
export const clipScore = (imageEmbeds: Tensor, textEmbeds: Tensor): number =>
  scope(() => clipScores(imageEmbeds, textEmbeds).clampMin(0).mean(null).item());
