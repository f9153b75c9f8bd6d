/** How well the autoencoder gives pictures back: PSNR, statistics of the latents, and a sheet to look at. */
import { fromModelRange, imageGrid, toModelRange } from "../../src/data/index.ts";
import type { AutoencoderKL } from "../../src/models/index.ts";
import { cat, inferenceMode, scope, stack, type Tensor } from "../../src/torch/index.ts";

const BATCH = 32;

/** Pictures through encoder (mean latents) and decoder: float32 [N, 3, H, W], clamped to [-1, 1]. */
export function reconstruct(vae: AutoencoderKL, images: Tensor): Tensor {
  return inBatches(images, (batch) => vae.decode(vae.encode(batch).mean).clamp(-1, 1));
}

/** Mean latents without the scaling factor, [N, 4, h, w]. */
export function meanLatents(vae: AutoencoderKL, images: Tensor): Tensor {
  return inBatches(images, (batch) => vae.encode(batch).mean);
}

/** Mean over the pictures of their peak signal-to-noise ratio in dB. */
export function psnr(vae: AutoencoderKL, images: Tensor): number {
  return inferenceMode(() =>
    scope(() => {
      const error = reconstruct(vae, images).sub(toModelRange(images)).div(2).square().mean([1, 2, 3]);
      return error.log().mean().item() * (-10 / Math.LN10);
    }),
  );
}

/** PNG with pictures on the left and their reconstructions on the right of each pair. */
export async function reconstructionSheet(vae: AutoencoderKL, images: Tensor): Promise<Buffer> {
  const pairs = scope(() =>
    stack([images, fromModelRange(reconstruct(vae, images))], 1).view([-1, ...images.shape.slice(1)]),
  );
  try {
    return await imageGrid(pairs, { columns: 12, scale: 2 });
  } finally {
    pairs.dispose();
  }
}

function inBatches(images: Tensor, fn: (batch: Tensor) => Tensor): Tensor {
  return inferenceMode(() =>
    scope(() => {
      const parts: Tensor[] = [];
      for (let first = 0; first < images.shape[0]!; first += BATCH)
        parts.push(scope(() => fn(toModelRange(images.slice(0, first, first + BATCH)))));
      return cat(parts, 0);
    }),
  );
}
