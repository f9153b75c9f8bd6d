// Decoded pixels to 8-bit images.
import { cat, isHost, scope, type Tensor } from "../torch/index.ts";
import type { ImageDecoder } from "./parts.ts";

/** Images that a card decodes at a time: enough to keep it busy, and about 6 GB for 512 x 512 pixels in float32. */
const TOGETHER = 8;

/**
 * Latents (scaled by the autoencoder's factor) to 8-bit images on the CPU, [B, C, h, w] -> uint8 [B, 3, H, W].
 * On the CPU image by image: just as fast, an eighth of the memory for eight images, and no image depends on its batch.
 * From a card all images are read at once.
 */
export function decodeImages(
  vae: ImageDecoder,
  latents: Tensor,
  { tiling = false }: { tiling?: boolean } = {},
): Tensor {
  const together = isHost(latents.device) ? 1 : TOGETHER;
  return scope(() => {
    const parts = latents.div(vae.config.scaling_factor).split(together, 0);
    const images = parts.map((part) =>
      scope(() => toUint8(vae.decode(part, tiling ? { tiling } : undefined))),
    );
    return (images.length === 1 ? images[0]! : cat(images, 0)).to("cpu");
  });
}

/** Pixels in [-1, 1] to uint8, rounded as diffusers does; out-of-range values are clamped. */
export const toUint8 = (pixels: Tensor): Tensor =>
  pixels.to("float32").div(2).add(0.5).clamp(0, 1).mul(255).round().to("uint8");
