// Everything random about a training batch: which caption, which crop, mirrored or not, the noise, the timesteps.
import {
  type Device,
  type Generator,
  rand,
  randintBetween,
  randn,
  scope,
  type Tensor,
  where,
} from "../torch/index.ts";
import type { BatchRequest, EncodedBatch, TrainingSet } from "./training-set.ts";

export interface DrawOptions {
  readonly trainTimesteps: number;
  /** Lowest timestep; default 0. */
  readonly from?: number;
  /** This share of the batch draws its timesteps from `from` upwards only, where images are decided as a whole. */
  readonly highNoise?: { readonly from: number; readonly share: number } | undefined;
  /** Share of the batch that gets the empty caption. */
  readonly captionDropout?: number;
  /** Mirrors half of the pictures. */
  readonly flip?: boolean;
  /** Crops anywhere instead of in the middle. */
  readonly randomCrop?: boolean;
  /** Latents: drawn from the autoencoder's distribution (the reference's way, default), or its mean. */
  readonly posterior?: "sample" | "mean";
  /** Scale of a common shift of each channel's noise (https://www.crosslabs.org/blog/diffusion-with-offset-noise). */
  readonly noiseOffset?: number;
  /** Scale of extra noise in the input that is not part of the target (arXiv 2301.11706). */
  readonly inputPerturbation?: number;
}

/** What a denoiser is asked about: scaled latents and noise [B, C, H, W], int64 timesteps [B], text states [B, L, D]. */
export interface DiffusionBatch {
  readonly latents: Tensor;
  readonly noise: Tensor;
  /** What is mixed into the latents, where it is not exactly `noise`. */
  readonly inputNoise?: Tensor | undefined;
  readonly timesteps: Tensor;
  readonly encoderHiddenStates: Tensor;
}

/** The random numbers that a batch's pictures meet: float32 like the latents [B, C, h, w], int64 timesteps [B]. */
export interface DrawnNumbers {
  /** Makes latents out of the autoencoder's distribution; absent: they are its mean. */
  readonly posterior?: Tensor | undefined;
  readonly noise: Tensor;
  readonly inputNoise?: Tensor | undefined;
  readonly timesteps: Tensor;
}

export interface BatchPlan {
  /** What is to be encoded. */
  readonly request: BatchRequest;
  /** Noise and timesteps for latents [C, h, w], on the CPU; once only, for it goes on with the generator. */
  readonly draw: (latentShape: readonly number[]) => DrawnNumbers;
  /** The encoded pictures with what `draw` gives, which is not to be called then. */
  readonly diffuse: (encoded: EncodedBatch, scalingFactor: number) => DiffusionBatch;
}

/** Draws a batch of `rows`, [B]; the numbers depend on the generator and the options alone. */
export function planBatch(
  set: Pick<TrainingSet, "captions" | "captionsOf">,
  rows: Int32Array,
  generator: Generator,
  options: DrawOptions,
): BatchPlan {
  const uniform = (count: number): Float32Array =>
    scope(() => rand([count], { generator }).toArray() as Float32Array);
  const size = rows.length;
  const picks = uniform(size);
  const dropped = uniform(size);
  const { captionDropout = 0 } = options;
  const captions = Int32Array.from(rows, (row, i) => {
    const own = set.captionsOf[row]!;
    return dropped[i]! < captionDropout
      ? set.captions.length - 1
      : own[Math.min(own.length - 1, Math.floor(picks[i]! * own.length))]!;
  });
  const flips = options.flip ? Uint8Array.from(uniform(size), (u) => (u < 0.5 ? 1 : 0)) : undefined;
  const crops = options.randomCrop ? uniform(2 * size) : undefined;
  const draw: BatchPlan["draw"] = (latentShape) => drawNumbers([size, ...latentShape], generator, options);
  return {
    request: { rows, captions, flips, crops },
    draw,
    diffuse: (encoded, scalingFactor) =>
      scope(() => {
        const { device, shape } = encoded.moments;
        const [, channels = 0, ...space] = shape;
        return diffusionBatch(encoded, movedTo(device, draw([channels / 2, ...space])), scalingFactor);
      }),
  };
}

/** An encoded batch with its random numbers, which are on the same device; `noise`, `timesteps` and the text states are aliases. */
export function diffusionBatch(
  encoded: EncodedBatch,
  { posterior, noise, inputNoise, timesteps }: DrawnNumbers,
  scalingFactor: number,
): DiffusionBatch {
  return scope(() => ({
    latents: latentsWith(encoded, scalingFactor, posterior),
    encoderHiddenStates: encoded.encoderHiddenStates.alias(),
    noise: noise.alias(),
    inputNoise: inputNoise?.alias(),
    timesteps: timesteps.alias(),
  }));
}

/** Scaled latents [B, C, h, w]: drawn from the distribution that the moments describe, or its mean without a generator. */
export function latentsOf(encoded: EncodedBatch, scalingFactor: number, generator?: Generator): Tensor {
  return scope(() => {
    const { shape, device } = encoded.moments;
    const [size = 0, channels = 0, ...space] = shape;
    const noise = generator && randn([size, channels / 2, ...space], { generator }).to(device);
    return latentsWith(encoded, scalingFactor, noise);
  });
}

function latentsWith({ moments }: EncodedBatch, scalingFactor: number, noise: Tensor | undefined): Tensor {
  return scope(() => {
    const [mean, logVariance] = moments.chunk(2, 1) as [Tensor, Tensor];
    if (!noise) return mean.mul(scalingFactor);
    // Bounds as in diffusers' DiagonalGaussianDistribution.
    const deviation = logVariance.clamp(-30, 20).mul(0.5).exp();
    return mean.add(deviation.mul(noise)).mul(scalingFactor);
  });
}

/** For latents [B, C, h, w]; the order of the draws is part of a run's result. */
function drawNumbers(
  shape: readonly number[],
  generator: Generator,
  { trainTimesteps, from = 0, highNoise, posterior, noiseOffset = 0, inputPerturbation = 0 }: DrawOptions,
): DrawnNumbers {
  const [size = 0, channels = 0, ...space] = shape;
  const normal = (...dims: number[]): Tensor => randn([size, channels, ...dims], { generator });
  const draw = (lowest: number): Tensor =>
    randintBetween(lowest, trainTimesteps, [size], { generator, dtype: "int64" });
  return scope(() => {
    const ofLatents = posterior === "mean" ? undefined : normal(...space);
    const plain = normal(...space);
    const noise = noiseOffset > 0 ? plain.add(normal(...space.map(() => 1)), { alpha: noiseOffset }) : plain;
    const inputNoise =
      inputPerturbation > 0 ? noise.add(normal(...space), { alpha: inputPerturbation }) : undefined;
    const any = draw(from);
    const timesteps = highNoise
      ? where(rand([size], { generator }).lt(highNoise.share), draw(highNoise.from), any)
      : any;
    return { posterior: ofLatents, noise, inputNoise, timesteps };
  });
}

const movedTo = (
  device: Device,
  { posterior, noise, inputNoise, timesteps }: DrawnNumbers,
): DrawnNumbers => ({
  posterior: posterior?.to(device),
  noise: noise.to(device),
  inputNoise: inputNoise?.to(device),
  timesteps: timesteps.to(device),
});
