/** Multi-head attention on already projected queries, keys and values (https://arxiv.org/abs/1706.03762, section 3.2). */
import { scaledDotProductAttention } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

/**
 * Attention of q [B, N, C] over k, v [B, M, C], C split into `heads`: [B, N, C].
 * libtorch's fused kernels keep the heads interleaved, so that joining them again copies nothing.
 */
export function multiHeadAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { heads, isCausal = false }: { heads: number; isCausal?: boolean },
): Tensor {
  const [batch, , channels] = query.shape as [number, number, number];
  const split = (xs: Tensor) => xs.view([batch, -1, heads, channels / heads]).transpose(1, 2);
  const out = scaledDotProductAttention(split(query), split(key), split(value), undefined, 0, isCausal);
  return out.transpose(1, 2).reshape([batch, -1, channels]);
}
