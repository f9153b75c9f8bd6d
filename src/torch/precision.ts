// How exactly and how repeatably libtorch computes on a card. The switches are the process's; a build without CUDA keeps
// them and computes as ever. What reads them is found in docs/gpu.md.
import { addon } from "./addon.ts";

/** "high" lets float32 products and convolutions on a card use TF32 (10 bits of mantissa for 23, several times faster). */
export type Float32Precision = "highest" | "high";

/** Which kernels `scaledDotProductAttention` may choose from; the fastest that fits is taken. */
export interface AttentionKernels {
  readonly flash: boolean;
  readonly cudnn: boolean;
  readonly memoryEfficient: boolean;
  readonly math: boolean;
}

/** Float32 on a card: matrix products and convolutions. The processor's numbers do not change. */
export const setFloat32Precision = (precision: Float32Precision): void =>
  addon.setAllowTF32(precision === "high");

export const float32Precision = (): Float32Precision => (addon.allowTF32() ? "high" : "highest");

/** Whether bfloat16 and float16 products may add partial sums in their own dtype (faster) instead of float32. */
export const setReducedPrecisionReduction = (allowed: boolean): void =>
  addon.setReducedPrecisionReduction(allowed);

export const reducedPrecisionReduction = (): boolean => addon.reducedPrecisionReduction();

/**
 * The same numbers in every run on the same card: only algorithms that give them, slower; an operator that has none
 * throws `TorchError`. Convolution kernels are not tried out then.
 */
export const setDeterministic = (deterministic: boolean): void => addon.setDeterministic(deterministic);

export const deterministic = (): boolean => addon.deterministic();

/** Tries cuDNN's kernels at the first convolution of each shape and keeps the fastest; not together with deterministic. */
export const setConvolutionBenchmark = (benchmark: boolean): void => addon.setConvolutionBenchmark(benchmark);

export const convolutionBenchmark = (): boolean => addon.convolutionBenchmark();

/** Allows or forbids attention kernels; those not named stay as they are. */
export function setAttentionKernels(kernels: Partial<AttentionKernels>): void {
  addon.setAttentionKernels({ ...attentionKernels(), ...kernels });
}

export const attentionKernels = (): AttentionKernels => addon.attentionKernels();
