// What sampling will need, from the configurations alone.
import type { ClipTextConfig, UNetConfig, VaeConfig } from "../../models/index.ts";
import { AutoencoderKL, ClipTextModel, UNet2DConditionModel } from "../../models/index.ts";
import { ParamStore } from "../../nn/index.ts";
import { type DType, dtypes } from "../../torch/index.ts";

export interface SamplingNeeds {
  /** Bytes of the weights in memory. */
  readonly weights: number;
  /** Bytes of memory altogether, about. */
  readonly memory: number;
  /** Bytes of the images still to make, about. */
  readonly disk: number;
}

/**
 * Memory at the peak, in feature maps of the first level (U-Net) and of the second one at full size (VAE). Measured with
 * Stable Diffusion 1.4 networks in float32 on the CPU, resident memory less the weights: 1.0 GB for two rows and 1.9 GB
 * for four at 64x64 latents (a map is 5.2 MB), 1.2 GB for decoding to 512x512 (a map is 268 MB).
 */
const UNET_MAPS = 100;
const VAE_MAPS = 5;
/** Node.js, libtorch and their buffers. */
const PROCESS_BYTES = 250e6;
/** PNG bytes per byte of RGB, at the most for pictures. */
const PNG_SHARE = 0.8;

export interface SamplingSizes {
  readonly unet: UNetConfig;
  readonly vae: VaeConfig;
  readonly text: ClipTextConfig;
  readonly latentShape: readonly [number, number, number];
  readonly dtype: DType;
  readonly batchSize: number;
  /** True with classifier-free guidance: two rows per image. */
  readonly isGuided: boolean;
  /** A second network is run beside the base. */
  readonly hasModule: boolean;
  readonly images: number;
}

export function samplingNeeds(sizes: SamplingSizes): SamplingNeeds {
  const { unet, vae, text, latentShape, dtype, batchSize, isGuided, hasModule, images } = sizes;
  const vs = () => ParamStore.shapesOnly();
  const count = (model: UNet2DConditionModel | AutoencoderKL | ClipTextModel): number => {
    using own = model;
    return own.parameterCount();
  };
  const networks = count(new UNet2DConditionModel(vs(), unet)) * (hasModule ? 2 : 1);
  const others = count(new AutoencoderKL(vs(), vae)) + count(new ClipTextModel(vs(), text));
  const { bytes } = dtypes[dtype];
  const weights = (networks + others) * bytes;
  const [, height, width] = latentShape;
  const rows = Math.min(batchSize, images) * (isGuided ? 2 : 1);
  const denoising = UNET_MAPS * rows * (unet.block_out_channels[0] ?? 1) * height * width * bytes;
  const scale = 2 ** (vae.block_out_channels.length - 1);
  const pixels = height * width * scale * scale;
  const widest = vae.block_out_channels[1] ?? vae.block_out_channels[0] ?? 1;
  const decoding = VAE_MAPS * widest * pixels * bytes;
  return {
    weights,
    memory: PROCESS_BYTES + weights + Math.max(denoising, decoding),
    disk: images * pixels * 3 * PNG_SHARE,
  };
}
