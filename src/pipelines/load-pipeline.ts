// A whole pipeline from a diffusers folder.
import { componentVariant, modelFolder } from "../checkpoint/index.ts";
import {
  type AutoencoderKL,
  type ClipTextModel,
  loadTextEncoder,
  loadUnet,
  loadVae,
  type UNetConfig,
  type VaeConfig,
  type UNet2DConditionModel,
} from "../models/index.ts";
import type { WeightFormat } from "../nn/index.ts";
import { loadScheduler, type SchedulerName } from "../schedulers/index.ts";
import { ClipTokenizer } from "../tokenizers/index.ts";
import { ConfigError, type Device, type DType } from "../torch/index.ts";
import type { GraphOptions } from "./graphed-denoiser.ts";
import { type PipelineParts, TextToImagePipeline } from "./text-to-image.ts";

export interface LoadPipelineOptions {
  /** Sample with this scheduler instead of the folder's own, on the same noise schedule. */
  scheduler?: SchedulerName | undefined;
  /** Options of the scheduler that win over the file's. */
  schedulerOptions?: Readonly<Record<string, unknown>> | undefined;
  device?: Device | undefined;
  /** Converts the weights on the way; default: as they are stored. */
  dtype?: DType | undefined;
  /** Of the convolutions' weights; default: what the device computes fastest with. */
  memoryFormat?: WeightFormat | undefined;
  /** See `PipelineParts`. */
  graphs?: boolean | GraphOptions | undefined;
  /** Variant of the weight files, such as "fp16". */
  variant?: string | undefined;
  /** Latents of one image [channels, height, width]; default: the U-Net's `sample_size`. */
  latentShape?: readonly [number, number, number] | undefined;
  /** Takes this U-Net instead of the folder's; it belongs to the pipeline's parts from then on. */
  unet?: UNet2DConditionModel | undefined;
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
  const { scheduler: as, device = "cpu", dtype, variant, memoryFormat, graphs = false } = options;
  const folders = modelFolder(folder);
  // The small parts first: a wrong scheduler is reported before gigabytes are mapped.
  const scheduler = loadScheduler(folders.scheduler, { as, options: options.schedulerOptions });
  const tokenizer = ClipTokenizer.load(folders.tokenizer);
  const variantIn = componentVariant(folders, variant);
  const how = (place: string) => ({ device, dtype, memoryFormat, variant: variantIn(place) });
  const loaded: Disposable[] = options.unet ? [options.unet] : [];
  const own = <M extends Disposable>(model: M): M => {
    loaded.push(model);
    return model;
  };
  try {
    const unet = options.unet ?? own(loadUnet(folders.unet, how(folders.unet)));
    const textEncoder = own(loadTextEncoder(folders.text_encoder, how(folders.text_encoder)));
    const vae = own(loadVae(folders.vae, how(folders.vae)));
    checkChannels(unet.config, vae.config, folder);
    const latentShape = options.latentShape ?? ownShape(unet, folders.unet);
    const parts = { unet, vae, textEncoder, tokenizer, scheduler, device, latentShape, graphs };
    return new TextToImagePipeline(parts);
  } catch (error) {
    for (const model of loaded) model[Symbol.dispose]();
    throw error;
  }
}

/** Inpainting, upscaling and depth models take more than latents. */
function checkChannels(unet: UNetConfig, vae: VaeConfig, folder: string): void {
  const { in_channels: given, out_channels: made } = unet;
  const { latent_channels: latents } = vae;
  if (given === latents && made === latents) return;
  throw new ConfigError(
    `${folder} is no text-to-image model: its U-Net takes ${given} channels and predicts ${made}, its autoencoder's latents ` +
      `have ${latents}. Inpainting, depth and upscaling models are not supported.`,
  );
}

function ownShape({ config }: UNet2DConditionModel, folder: string): [number, number, number] {
  const { in_channels: channels, sample_size: size } = config;
  if (size === null)
    throw new ConfigError(
      `${folder}/config.json has no sample_size (height and width of the latents); add it, or give the size.`,
    );
  const [height, width] = typeof size === "number" ? [size, size] : size;
  return [channels, height, width];
}
