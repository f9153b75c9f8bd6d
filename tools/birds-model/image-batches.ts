/** Endless seeded batches of pictures in model range, half of them mirrored. */
import { Random, shuffledBatches, toModelRange } from "../../src/data/index.ts";
import { scope, tensor, type Tensor } from "../../src/torch/index.ts";

export interface ImageBatch {
  /** float32 [B, 3, H, W] in [-1, 1], channels last in memory. */
  readonly images: Tensor;
  readonly indices: Int32Array;
}

/** @param images uint8 [N, 3, H, W]. Call the result once per step; the caller's scope owns the batch. */
export function imageBatches(images: Tensor, batchSize: number, seed: number): () => ImageBatch {
  const batches = shuffledBatches(images.shape[0]!, batchSize, seed);
  const random = new Random("flips", seed);
  return () => {
    const indices = batches.next().value;
    // Mirrored pictures go to the front: their order within a batch has no meaning.
    const mirrored: number[] = [];
    const plain: number[] = [];
    for (const index of indices) (random.chance(0.5) ? mirrored : plain).push(index);
    const order = Int32Array.from([...mirrored, ...plain]);
    const pictures = scope(() => {
      const chosen = images.indexSelect(0, tensor(order));
      if (mirrored.length > 0) {
        const front = chosen.slice(0, 0, mirrored.length);
        front.copy_(front.flip([3]));
      }
      return channelsLast(toModelRange(chosen));
    });
    return { images: pictures, indices: order };
  };
}

/** The same tensor with its channels innermost in memory, which convolutions on CPUs are faster with. */
export const channelsLast = (images: Tensor): Tensor =>
  images.ndim === 4 ? images.contiguous({ memoryFormat: "channels_last" }) : images.alias();
