// The training images as the method sees them: latents, and which caption each one has. Nothing else exists here, so
// no stage of the method can read an attribute of an image.
import { Generator, rand, randintBetween, randn, scope, type Tensor, tensor, where } from "../torch/index.ts";
import type { DiffusionBatch } from "./per-sample-loss.ts";

export interface LatentSet {
  /** Ids of the images, in the order of the rows below. */
  readonly ids: readonly string[];
  /** Latents scaled by the autoencoder's factor, [N, C, H, W]. */
  readonly latents: Tensor;
  /** The distinct captions; the last one is the empty text of classifier-free guidance. */
  readonly captions: readonly string[];
  /** Text states of the captions, [captions, L, D]. */
  readonly states: Tensor;
  /** Caption index of each image, [N]. */
  readonly captionOf: Int32Array;
}

export interface DrawOptions {
  readonly trainTimesteps: number;
  /** This share of the batch draws its timesteps from `from` upwards only, where images are decided as a whole. */
  readonly highNoise?: { readonly from: number; readonly share: number };
  /** Share of the batch that gets the empty caption. */
  readonly captionDropout?: number;
}

/**
 * A generator that depends on (seed, step) only: an interrupted run continues with the numbers it would have drawn.
 * The two are mixed, and the upper half is taken, because libtorch's CPU generator uses 32 bits of its seed.
 */
export function stepGenerator(seed: number, step: number): Generator {
  const mixed = BigInt.asUintN(
    64,
    BigInt(seed) * 0x9e3779b97f4a7c15n + BigInt(step + 1) * 0xd1342543de82ef95n,
  );
  return new Generator().manualSeed(mixed >> 32n);
}

/** The chosen images with fresh noise, timesteps and (partly dropped) captions. */
export function drawBatch(
  set: LatentSet,
  indices: Int32Array,
  generator: Generator,
  { trainTimesteps, highNoise, captionDropout = 0 }: DrawOptions,
): DiffusionBatch {
  return scope(() => {
    const size = indices.length;
    const { device } = set.latents;
    const latents = set.latents.indexSelect(0, tensor(indices, { dtype: "int64", device }));
    const noise = randn([...latents.shape], { generator }).to(device);
    const draw = (from: number) =>
      randintBetween(from, trainTimesteps, [size], { generator, dtype: "int64" });
    const any = draw(0);
    const timesteps = highNoise
      ? where(rand([size], { generator }).lt(highNoise.share), draw(highNoise.from), any)
      : any;
    const own = tensor(
      Int32Array.from(indices, (i) => set.captionOf[i]!),
      { dtype: "int64" },
    );
    const dropped = rand([size], { generator }).lt(captionDropout);
    const caption = where(dropped, tensor([set.captions.length - 1], { dtype: "int64" }), own);
    return {
      latents,
      noise,
      timesteps: timesteps.to(device),
      encoderHiddenStates: set.states.indexSelect(0, caption.to(device)),
    };
  });
}
