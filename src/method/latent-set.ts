// The training images as the method sees them: latents, and which caption each one has. Nothing else exists here, so
// no stage of the method can read an attribute of an image.
import {
  Generator,
  rand,
  randint,
  randintBetween,
  randn,
  scope,
  type Tensor,
  tensor,
  where,
} from "../torch/index.ts";
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
  /** Lowest timestep drawn. */
  readonly minTimestep?: number;
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
  { trainTimesteps, minTimestep = 0, captionDropout = 0 }: DrawOptions,
): DiffusionBatch {
  return scope(() => {
    const size = indices.length;
    const { device } = set.latents;
    const latents = set.latents.indexSelect(0, tensor(indices, { dtype: "int64", device }));
    const noise = randn([...latents.shape], { generator }).to(device);
    const timesteps =
      minTimestep > 0
        ? randintBetween(minTimestep, trainTimesteps, [size], { generator, dtype: "int64" })
        : randint(trainTimesteps, [size], { generator, dtype: "int64" });
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
