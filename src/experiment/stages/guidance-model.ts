// The trained guidance on disk and in memory: adapters or a network, with the form that says how it is added.
import { join } from "node:path";

import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { type Guidance, GuidedDenoiser } from "../../method/index.ts";
import {
  GUIDANCE_SIZES,
  guidanceUnetConfig,
  loadUnet,
  saveUnet,
  UNet2DConditionModel,
  type UNetConfig,
} from "../../models/index.ts";
import { Lora, type LoraOptions, ParamStore, type StoreOptions } from "../../nn/index.ts";
import {
  CheckpointError,
  Generator,
  noGrad,
  scope,
  type Tensor,
  writeFileAtomic,
} from "../../torch/index.ts";
import { type ExperimentConfig, resolveModule } from "../config.ts";
import { GUIDANCE_MODULES } from "../config-schema.ts";
import { readJsonIfThere } from "./materials.ts";

/** What guidance.json keeps: how the module was made, and how it is added. */
export type GuidanceSettings = Pick<
  ExperimentConfig["guidance"],
  "form" | "rank" | "targets" | "strength" | "ratio"
> & {
  readonly module: (typeof GUIDANCE_MODULES)[number];
  /** Below this timestep there is no guidance. */
  readonly from?: number;
};

/** The settings of a configuration, its module resolved. */
export const guidanceSettingsOf = (config: ExperimentConfig): GuidanceSettings => {
  const { form, rank, targets, strength, ratio, from } = config.guidance;
  return { form, module: resolveModule(config), rank, targets, strength, ratio, from };
};

/** A base with its guidance; disposing releases the guidance, not the base. */
export interface GuidanceModel extends Disposable {
  readonly denoiser: GuidedDenoiser;
  /** The network that gradients run through: a network of its own, or the base with its adapters. */
  readonly network: UNet2DConditionModel;
  /** Trainable tensors by checkpoint key. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly parameterCount: number;
  /** The denoiser for sampling; adapters at full strength are merged into the base, so that guidance costs nothing. */
  readonly forSampling: () => Denoiser;
  readonly save: (dir: string) => void;
}

const guidanceOf = ({ form, strength, ratio, from = 0 }: GuidanceSettings): Guidance =>
  form === "blend" ? { form, ratio, from } : { form, strength, from };

/** Whether the module is adapters in the base. */
export const isLora = ({ form, module }: GuidanceSettings): boolean =>
  module === "lora" && form === "difference";

/** Chooses the layers of the adapters: those whose path contains one of the names. */
const targetsOf = (names: readonly string[] | undefined): Pick<LoraOptions, "targets"> =>
  names === undefined ? {} : { targets: (path) => names.some((name) => path.includes(name)) };

/** Fresh guidance around a base: equal to the base for `difference`, zero for `residual`. */
export function makeGuidance(
  base: UNet2DConditionModel,
  settings: GuidanceSettings,
  seed: number,
): GuidanceModel {
  base.requiresGrad_(false);
  if (isLora(settings)) {
    const generator = new Generator().manualSeed(seed);
    const options = { rank: settings.rank, generator, ...targetsOf(settings.targets) };
    return loraGuidance(base, new Lora(base, options), settings);
  }
  const network = newNetwork(base, settings.module, seed).requiresGrad_(true);
  if (settings.form !== "difference") {
    // The last convolution starts at zero: the module begins without any effect (reference: delta model).
    const state = network.stateDict();
    noGrad(() => ["conv_out.weight", "conv_out.bias"].forEach((key) => scope(() => state.get(key)!.zero_())));
  }
  return networkGuidance(base, network, settings);
}

/** A copy of the base, or a network of the reference's sizes with fresh weights for the same latents and texts. */
function newNetwork(
  base: UNet2DConditionModel,
  module: GuidanceSettings["module"],
  seed: number,
): UNet2DConditionModel {
  const size = module === "scratch" ? "small0" : GUIDANCE_SIZES.find((name) => name === module);
  if (size === undefined) return base.clone();
  const config = guidanceUnetConfig(size, base.config);
  // The reference's `scratch` is small0 without text in the upper half.
  const up: UNetConfig["up_block_types"] = config.up_block_types.map(() => "UpBlock2D");
  const store = ParamStore.seeded({ seed, ...placeOf(base) });
  return new UNet2DConditionModel(store, module === "scratch" ? { ...config, up_block_types: up } : config);
}

/** Adapters in the base as its guidance, `difference` form. */
export function loraGuidance(
  base: UNet2DConditionModel,
  lora: Lora,
  settings: GuidanceSettings,
): GuidanceModel {
  const denoiser = new GuidedDenoiser(base, { kind: "lora", lora }, guidanceOf(settings));
  return {
    denoiser,
    network: base,
    weights: new Map(lora.namedParameters()),
    parameterCount: lora.parameterCount(),
    forSampling: () => {
      // Between 0 and 1 the difference of the predictions is scaled, not the weights, and below `from` the base is
      // asked: the weights stay apart.
      if (settings.strength !== 1 || (settings.from ?? 0) > 0) return denoiser;
      lora.merge();
      return base;
    },
    save: (dir) => {
      writeSafetensors(
        join(dir, LORA),
        lora.stateDict({ prefix: "unet" }),
        lora.metadata({ prefix: "unet" }),
      );
      saveSettings(dir, settings);
    },
    [Symbol.dispose]: () => lora[Symbol.dispose](),
  };
}

/** A network of its own as the base's guidance; disposed with it. */
export function networkGuidance(
  base: UNet2DConditionModel,
  network: UNet2DConditionModel,
  settings: GuidanceSettings,
): GuidanceModel {
  const denoiser = new GuidedDenoiser(base, { kind: "network", network }, guidanceOf(settings));
  return {
    denoiser,
    network,
    weights: network.stateDict(),
    parameterCount: network.parameterCount(),
    forSampling: () => denoiser,
    save: (dir) => {
      saveUnet(join(dir, DELTA), network);
      saveSettings(dir, settings);
    },
    [Symbol.dispose]: () => network[Symbol.dispose](),
  };
}

/** Where the stage keeps its module: adapters in a file, a network in a folder. */
export const LORA = "lora.safetensors";
export const DELTA = "unet_delta";
const SETTINGS = "guidance.json";

const saveSettings = (dir: string, settings: GuidanceSettings): void => {
  const { form, module, rank, targets, strength, ratio, from = 0 } = settings;
  const stored = { form, module, rank, targets, strength, ratio, from };
  writeFileAtomic(join(dir, SETTINGS), JSON.stringify(stored, null, 2));
};

/** What the guidance stage wrote beside the weights. @throws CheckpointError when it is missing or strange */
export function readGuidanceSettings(dir: string): GuidanceSettings {
  const stored = readJsonIfThere<Partial<Record<keyof GuidanceSettings, unknown>>>(join(dir, SETTINGS));
  if (!stored)
    throw new CheckpointError(
      `${join(dir, SETTINGS)} is missing; expected a folder that the guidance stage wrote.`,
    );
  const { form, module, rank, targets, strength, ratio, from = 0 } = stored;
  const isKnown =
    (form === "difference" || form === "residual" || form === "blend") &&
    GUIDANCE_MODULES.some((name) => name === module) &&
    (targets === undefined ||
      (Array.isArray(targets) && targets.every((name) => typeof name === "string"))) &&
    [rank, strength, ratio, from].every((value) => typeof value === "number");
  if (!isKnown)
    throw new CheckpointError(
      `${join(dir, SETTINGS)} holds ${JSON.stringify(stored)}; expected form, module, rank, strength and ratio as the guidance stage writes them.`,
    );
  return { form, module, rank, targets, strength, ratio, from } as GuidanceSettings;
}

/** The settings at another strength, which for `blend` is the share of the module. */
export const atStrength = (settings: GuidanceSettings, strength: number | undefined): GuidanceSettings =>
  strength === undefined
    ? settings
    : settings.form === "blend"
      ? { ...settings, ratio: strength }
      : { ...settings, strength };

/** Loads what `save` wrote, around the same base; without `strength` as it was trained. @throws CheckpointError */
export function loadGuidance(
  base: UNet2DConditionModel,
  dir: string,
  { strength }: { strength?: number | undefined } = {},
): GuidanceModel {
  const settings = atStrength(readGuidanceSettings(dir), strength);
  base.requiresGrad_(false);
  if (!isLora(settings)) return networkGuidance(base, loadUnet(join(dir, DELTA), placeOf(base)), settings);
  const file = join(dir, LORA);
  const tensors = readSafetensors(file);
  try {
    const options = { file, rank: settings.rank, ...targetsOf(settings.targets) };
    return loraGuidance(base, attachLora(base, tensors, options), settings);
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

/** Where a network's weights are, in which precision and format: a module that runs beside it must be so too. */
export function placeOf(network: UNet2DConditionModel): Required<StoreOptions> {
  const [{ dtype, device }] = network.parameters() as [Tensor];
  return { dtype, device, memoryFormat: network.memoryFormat };
}

/** Adapters on `base` with the values of a file's tensors; on failure none stay. @throws CheckpointError naming the file */
export function attachLora(
  base: UNet2DConditionModel,
  tensors: ReadonlyMap<string, Tensor>,
  { file, prefix = "unet", ...options }: LoraOptions & { file: string; prefix?: string },
): Lora {
  let lora: Lora | undefined;
  try {
    lora = new Lora(base, options);
    lora.loadStateDict(tensors, { prefix });
    return lora;
  } catch (error) {
    lora?.[Symbol.dispose]();
    throw new CheckpointError(`${file}: ${(error as Error).message}`, { cause: error });
  }
}
