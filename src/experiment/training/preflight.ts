// What a training is going to do and need, told before it starts.
import { findWeights, modelFolder, readWeights } from "../../checkpoint/index.ts";
import type { UNet2DConditionModel } from "../../models/index.ts";
import { isHost, kernelsInUse, type Tensor } from "../../torch/index.ts";
import { cacheEstimate } from "../cache/index.ts";
import { type ExperimentConfig, modelFolderOf } from "../config.ts";
import { freeDiskBytes } from "../disk-full.ts";
import {
  checkpointBytes,
  memoryEstimate,
  memoryRoom,
  memorySavings,
  memoryShortage,
  type ParameterCounts,
  parameterCounts,
  preflightText,
  type Saving,
  shortageText,
  type TrainingMemory,
} from "../preflight/index.ts";
import { inputBytes } from "../input/index.ts";
import type { StageContext } from "../stage.ts";
import { isCached } from "../stages/latents.ts";
import { openTokenizer } from "../stages/materials.ts";
import type { TrainingJob } from "./job.ts";
import { precisionOf, totalSteps } from "./settings.ts";

/** The networks of a training. */
export interface TrainedModel {
  readonly stage: string;
  /** The network that gradients run through: trained itself, or with adapters in it. */
  readonly unet: UNet2DConditionModel;
  /** The frozen base of a guidance; the same network where adapters are in it. */
  readonly base?: UNet2DConditionModel;
  /** What trackers show of the data before the first step. */
  readonly histograms?: () => ReadonlyMap<string, Float32Array>;
}

export interface Preflight {
  readonly text: string;
  readonly models: Readonly<Record<string, { readonly total: number; readonly trainable: number }>>;
  /** What would lower the memory. */
  readonly savings: readonly Saving[];
}

/** Counts and estimates, and a warning where the memory will not do. */
export function preflightOf(
  { config, out }: Pick<StageContext, "config" | "out">,
  job: TrainingJob,
  { unet, base }: TrainedModel,
): Preflight {
  const { options, set, weights } = job;
  const networks: Record<string, ParameterCounts> = base
    ? { "the guidance": parameterCounts(weights), "the base": parameterCounts(base.stateDict()) }
    : { "the U-Net": parameterCounts(weights) };
  const trained = count(weights.values());
  const [, height, width] = set.latentShape;
  const textTokens = openTokenizer(config).modelMaxLength;
  const ema = options.ema > 0;
  const cacheBytes = isCached(config)
    ? cacheEstimate({
        ...{ images: set.ids.length, flip: config.data.flip, latentShape: set.latentShape },
        captions: set.captions.length,
        stateShape: [textTokens, textWidth(unet)],
      })
    : 0;
  const settings: TrainingMemory = {
    ...{
      unet: unet.config,
      batchSize: options.batchSize,
      height,
      width,
      textTokens,
      trained,
      ema,
      cacheBytes,
    },
    precision: precisionOf(options, set.device),
    onCuda: !isHost(set.device),
    fusedNorm: kernelsInUse(set.device),
    gradientCheckpointing: options.gradientCheckpointing,
    frozen: base?.parameterCount() ?? 0,
    adapted: base === unet ? adaptedCount(unet, weights) : 0,
    encoders: isCached(config) ? 0 : encoderCount(config),
    inputBytes: inputBytes(set, {
      batchSize: options.batchSize,
      draw: { ...options, trainTimesteps: job.scheduler.numTrainTimesteps },
    }),
  };
  const memory = memoryEstimate(settings);
  const savings = memorySavings(settings, options);
  const text = preflightText({
    ...{ networks, memory, cacheBytes, images: set.ids.length, keep: options.keep },
    ...{ batchSize: options.batchSize, accumulation: options.accumulation },
    steps: totalSteps(options, set.ids.length),
    checkpointBytes: checkpointBytes(trained, { ema }),
    freeDiskBytes: freeDiskBytes(out),
  });
  const missing = memoryShortage(memory, memoryRoom(set.device));
  const models = Object.fromEntries(
    Object.entries(networks).map(([name, { total, trainable }]) => [
      name.replace("the ", ""),
      { total, trainable },
    ]),
  );
  const warning = missing > 0 ? `\n${shortageText(memory.total, missing, savings)}` : "";
  return { text: `${text}${warning}`, models, savings };
}

const count = (tensors: Iterable<Pick<Tensor, "numel">>): number => {
  let sum = 0;
  for (const { numel } of tensors) sum += numel;
  return sum;
};

function textWidth({ config: { cross_attention_dim: dims } }: UNet2DConditionModel): number {
  return typeof dims === "number" ? dims : dims[0]!;
}

/** Parameters of the layers that adapters sit on. */
function adaptedCount(unet: UNet2DConditionModel, adapters: ReadonlyMap<string, Tensor>): number {
  const state = unet.stateDict();
  const layers = [...adapters.keys()].flatMap((key) => /^(.*)\.lora_A\.weight$/.exec(key)?.[1] ?? []);
  return count(layers.map((layer) => state.get(`${layer}.weight`)!));
}

/** Parameters of the autoencoder and the text encoder, from their files. */
function encoderCount(config: ExperimentConfig): number {
  const folders = modelFolder(modelFolderOf(config), ["vae", "text_encoder"]);
  return Object.values(folders).reduce((sum, folder) => {
    const tensors = readWeights(findWeights(folder));
    const own = count(tensors.values());
    for (const tensor of tensors.values()) tensor.dispose();
    return sum + own;
  }, 0);
}
