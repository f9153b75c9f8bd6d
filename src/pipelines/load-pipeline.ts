// A whole pipeline from a diffusers folder.
import { modelFolder } from "../checkpoint/index.ts";
import {
  type AutoencoderKL,
  type ClipTextModel,
  loadTextEncoder,
  loadUnet,
  loadVae,
  type UNet2DConditionModel,
} from "../models/index.ts";
import { loadScheduler, type SchedulerName } from "../schedulers/index.ts";
import { ClipTokenizer } from "../tokenizers/index.ts";
import { ConfigError, type Device, type DType } from "../torch/index.ts";
import { type PipelineParts, TextToImagePipeline } from "./text-to-image.ts";

export interface LoadPipelineOptions {
  /** Sample with this scheduler instead of the folder's own, on the same noise schedule. */
  scheduler?: SchedulerName;
  device?: Device;
  dtype?: DType;
}

export interface LoadedParts extends PipelineParts {
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: ClipTextModel;
  tokenizer: ClipTokenizer;
}

/**
 * Loads U-Net, autoencoder, text encoder, tokenizer and scheduler of a diffusers folder. The three models in `parts` are the caller's to dispose of.
 * Throws CheckpointError listing what the folder lacks, ConfigError for what is not supported.
 */
export function loadPipeline(
  folder: string,
  options: LoadPipelineOptions = {},
): TextToImagePipeline<LoadedParts> {
  const { scheduler: as, device = "cpu", dtype } = options;
  const folders = modelFolder(folder);
  // The small parts first: a wrong scheduler is reported before gigabytes are mapped.
  const scheduler = loadScheduler(folders.scheduler, { as });
  const tokenizer = ClipTokenizer.load(folders.tokenizer);
  const unet = loadUnet(folders.unet, { device, dtype });
  const textEncoder = loadTextEncoder(folders.text_encoder, { device, dtype });
  const vae = loadVae(folders.vae, { device, dtype });
  const { in_channels: channels, sample_size: size } = unet.config;
  if (size === null)
    throw new ConfigError(
      `${folders.unet}/config.json has no sample_size (height and width of the latents); add it.`,
    );
  const [height, width] = typeof size === "number" ? [size, size] : size;
  const parts = {
    unet,
    vae,
    textEncoder,
    tokenizer,
    scheduler,
    device,
    latentShape: [channels, height, width] as const,
  };
  return new TextToImagePipeline(parts);
}
