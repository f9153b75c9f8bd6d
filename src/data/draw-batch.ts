// Everything random about a training batch: which caption, which crop, mirrored or not, the noise, the timesteps.
import { type Generator, rand, randintBetween, randn, scope, type Tensor, where } from "../torch/index.ts";
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

export interface BatchPlan {
  /** What is to be encoded. */
  readonly request: BatchRequest;
  /** The encoded pictures with fresh noise and timesteps; once only, for it goes on with the generator. */
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
  return {
    request: { rows, captions, flips, crops },
    diffuse: (encoded, scalingFactor) =>
      scope(() => ({
        latents: latentsOf(encoded, scalingFactor, options.posterior === "mean" ? undefined : generator),
        encoderHiddenStates: encoded.encoderHiddenStates.alias(),
        ...drawNoise(encoded.moments, generator, options),
      })),
  };
}

/** Scaled latents [B, C, h, w]: drawn from the distribution that the moments describe, or its mean without a generator. */
export function latentsOf({ moments }: EncodedBatch, scalingFactor: number, generator?: Generator): Tensor {
  return scope(() => {
    const [mean, logVariance] = moments.chunk(2, 1) as [Tensor, Tensor];
    if (!generator) return mean.mul(scalingFactor);
    const noise = randn([...mean.shape], { generator }).to(mean.device);
    // Bounds as in diffusers' DiagonalGaussianDistribution.
    const deviation = logVariance.clamp(-30, 20).mul(0.5).exp();
    return mean.add(deviation.mul(noise)).mul(scalingFactor);
  });
}

function drawNoise(
  { shape, device }: Tensor,
  generator: Generator,
  { trainTimesteps, from = 0, highNoise, noiseOffset = 0, inputPerturbation = 0 }: DrawOptions,
): Pick<DiffusionBatch, "noise" | "inputNoise" | "timesteps"> {
  const [size, channels, ...space] = shape as [number, number, ...number[]];
  const normal = (...dims: number[]): Tensor => randn([size, channels / 2, ...dims], { generator });
  const plain = normal(...space);
  const noise = noiseOffset > 0 ? plain.add(normal(...space.map(() => 1)), { alpha: noiseOffset }) : plain;
  const inputNoise =
    inputPerturbation > 0 ? noise.add(normal(...space), { alpha: inputPerturbation }) : undefined;
  const draw = (lowest: number): Tensor =>
    randintBetween(lowest, trainTimesteps, [size], { generator, dtype: "int64" });
  const any = draw(from);
  const timesteps = highNoise
    ? where(rand([size], { generator }).lt(highNoise.share), draw(highNoise.from), any)
    : any;
  return { noise: noise.to(device), inputNoise: inputNoise?.to(device), timesteps: timesteps.to(device) };
}
