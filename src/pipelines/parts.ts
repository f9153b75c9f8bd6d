// What a text-to-image pipeline asks of its parts; models fit by shape, no base class needed.
import type { Tensor } from "../torch/index.ts";

/** Predicts noise, velocity or latents: a U-Net, or a U-Net with guidance around it. */
export interface Denoiser {
  /** sample [B, C, H, W], timesteps [B] (int64; float32 between two of them), encoderHiddenStates [B, L, D] -> [B, C, H, W]. */
  forward(sample: Tensor, timesteps: Tensor, encoderHiddenStates: Tensor, options?: DenoiserOptions): Tensor;
  /**
   * All that decides what `forward` computes (at that timestep, for all samples) besides its inputs and the values in
   * tensors: the tensors that it reads, strengths, which adapters are on. A recorded graph is replayed only while every
   * entry is the same; undefined, or no such method: `forward` must not be recorded.
   */
  graphKey?(timestep?: number): readonly unknown[] | undefined;
}

export interface DenoiserOptions {
  /** The timestep of all samples, where the caller knows it: what depends on it need not be read from the device. */
  readonly timestep?: number | undefined;
}

/** The decoding half of an autoencoder. */
export interface ImageDecoder {
  /** Latents divided by the scaling factor, [B, C, h, w] -> pixels in [-1, 1], [B, 3, H, W]. */
  decode(latents: Tensor, options?: { readonly tiling?: true }): Tensor;
  readonly config: { readonly scaling_factor: number };
}

export interface TextEncoder {
  /** Token ids int64 [B, L] -> last hidden state [B, L, D], or the one `clipSkip` layers before it. */
  forward(inputIds: Tensor, options?: { readonly clipSkip?: number }): Tensor;
}

export interface TextTokenizer {
  encode(texts: readonly string[]): { inputIds: BigInt64Array; shape: [number, number] };
}
