// Classifier-free guidance, Ho and Salimans 2022 (arXiv 2207.12598).
import type { Tensor } from "../torch/index.ts";

/**
 * u + scale * (c - u) from a prediction [2 B, C, H, W] whose first half is unconditional: [B, C, H, W].
 * `guidanceRescale` > 0 mixes in the same prediction with c's standard deviation (arXiv 2305.08891, eq. 15 and 16).
 */
export function classifierFreeGuidance(
  prediction: Tensor,
  { guidanceScale, guidanceRescale }: { guidanceScale: number; guidanceRescale: number },
): Tensor {
  const [unconditional, conditional] = prediction.chunk(2, 0) as [Tensor, Tensor];
  const guided = unconditional.add(conditional.sub(unconditional).mul(guidanceScale));
  if (guidanceRescale <= 0) return guided;
  const deviation = (xs: Tensor): Tensor => xs.std([1, 2, 3], { correction: 1, keepdim: true });
  const rescaled = guided.mul(deviation(conditional).div(deviation(guided)));
  return rescaled.mul(guidanceRescale).add(guided.mul(1 - guidanceRescale));
}
