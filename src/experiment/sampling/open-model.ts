// The networks that a request samples with: the model folder's, or the base and guidance that were named.
import { join } from "node:path";
import { componentVariant, modelFolder, readJsonObject } from "../../checkpoint/index.ts";
import type { ClipTextConfig, UNetConfig, VaeConfig } from "../../models/index.ts";
import { clipTextConfig, loadUnet, unetConfig, vaeConfig } from "../../models/index.ts";
import { loadPipeline, type TextToImagePipeline } from "../../pipelines/index.ts";
import { loadScheduler } from "../../schedulers/index.ts";
import { UserError } from "../../torch/errors.ts";
import { weightFormat } from "../config-accelerator.ts";
import { graphOptions } from "../graphs.ts";
import { hashJson } from "../hash.ts";
import { findGuidance, type GuidanceSource } from "./find-guidance.ts";
import { hashParts } from "./hash-parts.ts";
import { type SamplingNeeds, samplingNeeds } from "./needs.ts";
import { guidanceSettings, openGuidance, strengthOf } from "./open-guidance.ts";
import type { ImageSettings } from "./plan.ts";
import type { SampleRequest } from "./request.ts";

/** What is known before any weights are read. */
export interface SamplingSize {
  readonly settings: ImageSettings;
  /** Of one image: [channels, height, width]. */
  readonly latentShape: readonly [number, number, number];
  readonly guidance: GuidanceSource | undefined;
  /** Folder of the U-Net that is sampled (the model's own, or the one its guidance belongs to). */
  readonly unet: string;
  /** The model's own parts. */
  readonly folders: ReturnType<typeof modelFolder>;
  readonly configs: { readonly unet: UNetConfig; readonly vae: VaeConfig; readonly text: ClipTextConfig };
}

/** Reads the configurations. Errors: CheckpointError, ConfigError, UserError for a size that does not fit. */
export function samplingSize(request: SampleRequest): SamplingSize {
  const folders = modelFolder(request.model);
  const guidance = request.guidance === undefined ? undefined : findGuidance(request.guidance);
  const unet = guidance?.base ?? folders.unet;
  const configOf = (folder: string) => readJsonObject(join(folder, "config.json"));
  const configs = {
    unet: unetConfig(configOf(unet)),
    vae: vaeConfig(configOf(folders.vae)),
    text: clipTextConfig(configOf(folders.text_encoder)),
  };
  const { in_channels: channels, sample_size: own } = configs.unet;
  const scale = 2 ** (configs.vae.block_out_channels.length - 1);
  const [ownHeight, ownWidth] = typeof own === "number" ? [own, own] : (own ?? [undefined, undefined]);
  const pixels = (option: "height" | "width", latents: number | undefined): number => {
    const value = request[option] ?? (latents === undefined ? undefined : latents * scale);
    if (value === undefined)
      throw new UserError(`The model names no size (sample_size); give --height and --width.`);
    if (value % scale !== 0)
      throw new UserError(`--${option} ${value} is no multiple of ${scale}, the pixels of one latent.`);
    return value;
  };
  const [height, width] = [pixels("height", ownHeight), pixels("width", ownWidth)];
  const { steps, guidanceScale, guidanceRescale, negativePrompt, clipSkip, eta, dtype, vaeTiling } = request;
  const scheduler = loadScheduler(folders.scheduler, {
    as: request.scheduler,
    options: schedulerOptions(request),
  });
  scheduler.setTimesteps(steps);
  refuseIdle(request, scheduler.className);
  if (request.strength !== undefined && guidance === undefined)
    throw new UserError(`--strength ${request.strength} belongs to a guidance; give --guidance too.`);
  const strength = guidance && (request.strength ?? strengthOf(guidanceSettings(guidance)));
  return {
    settings: {
      ...{ steps, guidanceScale, guidanceRescale, negativePrompt, clipSkip, eta, dtype, vaeTiling },
      ...{
        scheduler: scheduler.className,
        timestepSpacing: scheduler.config.timestep_spacing,
        height,
        width,
        strength,
      },
    },
    latentShape: [channels, height / scale, width / scale],
    ...{ guidance, unet, folders, configs },
  };
}

/** Options that would have no effect are mistakes, not to be passed over in silence. */
function refuseIdle(request: SampleRequest, scheduler: string): void {
  const { eta, guidanceScale, guidanceRescale, negativePrompt } = request;
  if (eta > 0 && scheduler !== "DDIMScheduler")
    throw new UserError(`--eta ${eta} is an option of ddim; ${scheduler} has none. Add --scheduler ddim.`);
  if (guidanceScale > 1) return;
  const idle = [
    ...(guidanceRescale > 0 ? [`--guidance-rescale ${guidanceRescale}`] : []),
    ...(negativePrompt === "" ? [] : [`--negative-prompt "${negativePrompt}"`]),
  ];
  if (idle.length > 0)
    throw new UserError(
      `${idle.join(" and ")} needs classifier-free guidance, which --guidance-scale ${guidanceScale} switches off.`,
    );
}

const schedulerOptions = ({ timestepSpacing }: SampleRequest) =>
  timestepSpacing === undefined ? undefined : { timestep_spacing: timestepSpacing };

/** What making this many images will need. */
export function needsOf(request: SampleRequest, size: SamplingSize, images: number): SamplingNeeds {
  const { configs, guidance, latentShape } = size;
  const { dtype, batchSize, guidanceScale } = request;
  const hasModule = guidance !== undefined && guidance.kind !== "lora";
  return samplingNeeds({
    ...configs,
    ...{ latentShape, dtype, batchSize, images, hasModule, isGuided: guidanceScale > 1 },
  });
}

/** Fingerprints of exactly the files that will be loaded. */
export async function fingerprints(
  request: SampleRequest,
  { guidance, unet, folders }: SamplingSize,
): Promise<{ modelHash: string; guidanceHash: string | undefined }> {
  const parts = await hashParts({ ...folders, unet }, componentVariant(folders, request.variant));
  return {
    modelHash: hashJson(parts),
    guidanceHash: guidance && hashJson(await hashParts({ guidance: partOf(guidance) }, () => undefined)),
  };
}

const partOf = (source: GuidanceSource): string => (source.kind === "lora" ? source.file : source.dir);

/** A pipeline with its networks; disposing releases them. */
export interface SamplingModel extends Disposable {
  readonly pipeline: TextToImagePipeline;
}

/** Loads the networks. @throws CheckpointError, ConfigError */
export function openSamplingModel(request: SampleRequest, size: SamplingSize): SamplingModel {
  const { dtype, device, variant } = request;
  const pipeline = loadPipeline(request.model, {
    ...{ dtype, device, variant },
    scheduler: request.scheduler,
    schedulerOptions: schedulerOptions(request),
    latentShape: size.latentShape,
    graphs: graphOptions(request),
    memoryFormat: weightFormat(request),
    ...(size.guidance?.base === undefined ? {} : { unet: loadUnet(size.guidance.base, { dtype, device }) }),
  });
  const { unet, vae, textEncoder } = pipeline.parts;
  const owned: Disposable[] = [unet, vae, textEncoder];
  const disposable = { [Symbol.dispose]: () => owned.forEach((part) => part[Symbol.dispose]()) };
  if (size.guidance === undefined) return { pipeline, ...disposable };
  try {
    const guidance = openGuidance(size.guidance, unet, { strength: size.settings.strength ?? 1 });
    owned.unshift(guidance);
    return { pipeline: pipeline.with({ unet: guidance.forSampling() }), ...disposable };
  } catch (error) {
    disposable[Symbol.dispose]();
    throw error;
  }
}
