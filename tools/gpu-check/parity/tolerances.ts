// How far a number may lie from PyTorch's on the processor that made the golden fixtures.
//
// float32: the limits of test/golden/README.md, for a card too. There sums run in another order and cuDNN may take
// Winograd's or a Fourier transform for a convolution, which costs about a factor of 10 beside the 1e-7 to 1e-5 of the
// processor. The limits leave room for that and for little more: TF32 (10 bits of mantissa for 23) moves the outputs of
// these networks by 4e-4 to 1.3e-3 when their weights alone are rounded to it (worked out on the processor), bfloat16 by
// 1e-2. A switch in the wrong position fails.
//
// bfloat16: products of factors with 8 bits, sums, norms and losses in float32. The limits are about three times the worst
// error of the processor's own autocast for the same fixtures, written beside them, since a card rounds in other places.
import { isHost, type Device } from "../../../src/torch/index.ts";
import type { Precision } from "./checks.ts";

interface Limits {
  /** One forward pass of a network, relative. */
  readonly output: number;
  /** Gradients, relative. */
  readonly gradient: number;
  /** Latents at the end of a whole sampling run, relative. */
  readonly latents: number;
  /** 8-bit images of a whole sampling run: largest difference of a value. */
  readonly levels: number;
  /** Losses of a training step, relative. */
  readonly loss: number;
  /** Norm of one parameter's gradient, relative. */
  readonly gradientNorm: number;
  /** Norm of the whole gradient, relative. */
  readonly totalNorm: number;
  /** Variance of the groups' losses, relative to the loss. */
  readonly variance: number;
  /** Weights after six steps, relative. */
  readonly weights: number;
  /** Score of CLIP in percent. */
  readonly score: number;
}

export const LIMITS: Readonly<Record<Precision, Limits>> = {
  float32: {
    ...{ output: 1e-4, gradient: 1e-3, gradientNorm: 1e-3, latents: 1e-3, levels: 2 },
    ...{ loss: 1e-4, totalNorm: 1e-3, variance: 1e-5, weights: 1e-3, score: 0.1 },
  },
  bfloat16: {
    output: 0.1, // the processor: 0.035 (autoencoder's image), 0.014 (U-Net)
    gradient: 0.2, // 0.065
    gradientNorm: 0.3, // 0.091
    ...{ latents: NaN, levels: NaN }, // the noise itself would be drawn in bfloat16
    loss: 1e-3, // 3.5e-4
    totalNorm: 5e-3, // 1.6e-3
    variance: 2e-5, // 5.6e-6
    weights: 0.03, // 0.011
    score: 0.5, // 0.17
  },
};

/**
 * States of the schedulers. The golden model is a sine, whose last bits are each library's own, and ten to 25 steps in
 * float32 carry them on: 1.05e-5 between two processors for diffusers itself.
 */
export const stateLimit = (device: Device): number => (isHost(device) ? 1e-5 : 5e-5);
/** The objective of a given batch. */
export const OBJECTIVE = 1e-6;
/** One forward pass of the 859.5M-parameter U-Net. */
export const FULL_SIZE = 1e-3;
