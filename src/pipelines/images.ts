// Decoded pixels to 8-bit images.
import type { Tensor } from "../torch/index.ts";
import type { ImageDecoder } from "./parts.ts";

/** Latents (scaled by the autoencoder's factor) to 8-bit images on the CPU, [B, C, h, w] -> uint8 [B, 3, H, W]. */
export function decodeImages(vae: ImageDecoder, latents: Tensor): Tensor {
  const pixels = vae.decode(latents.div(vae.config.scaling_factor));
  return toUint8(pixels).to("cpu");
}

/** Pixels in [-1, 1] to uint8, rounded as diffusers does; out-of-range values are clamped. */
export const toUint8 = (pixels: Tensor): Tensor =>
  pixels.to("float32").div(2).add(0.5).clamp(0, 1).mul(255).round().to("uint8");
