// The trained guidance on disk and in memory: adapters or a network, with the form that says how it is added.
import { join } from "node:path";

import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import type { Denoiser } from "../../pipelines/index.ts";
import { type Guidance, GuidedDenoiser, type GuidanceModule } from "../../method/index.ts";
import type { UNet2DConditionModel } from "../../models/index.ts";
import { saveUnet } from "../../models/index.ts";
import { Lora } from "../../nn/index.ts";
import {
  CheckpointError,
  Generator,
  noGrad,
  scope,
  type Tensor,
  writeFileAtomic,
} from "../../torch/index.ts";
import type { ExperimentConfig } from "../config.ts";
import { readJsonIfThere } from "./materials.ts";

type Options = ExperimentConfig["guidance"];

/** A base with its guidance; disposing releases the guidance, not the base. */
export interface GuidanceModel extends Disposable {
  readonly denoiser: GuidedDenoiser;
  /** Trainable tensors by checkpoint key. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly parameterCount: number;
  /** The denoiser for sampling; adapters at full strength are merged into the base, so that guidance costs nothing. */
  readonly forSampling: () => Denoiser;
  readonly save: (dir: string) => void;
}

const guidanceOf = ({ form, strength, ratio }: Options): Guidance =>
  form === "blend" ? { form, ratio } : { form, strength };

/** Fresh guidance around a base: equal to the base for `difference`, zero for `residual`. */
export function makeGuidance(base: UNet2DConditionModel, options: Options, seed: number): GuidanceModel {
  base.requiresGrad_(false);
  const guidance = guidanceOf(options);
  if (options.module === "lora" && options.form === "difference") {
    const lora = new Lora(base, { rank: options.rank, generator: new Generator().manualSeed(seed) });
    const module: GuidanceModule = { kind: "lora", lora };
    const denoiser = new GuidedDenoiser(base, module, guidance);
    return {
      denoiser,
      weights: new Map(lora.namedParameters()),
      parameterCount: lora.parameterCount(),
      forSampling: () => {
        // Between 0 and 1 the difference of the predictions is scaled, not the weights: those stay apart.
        if (options.strength !== 1) return denoiser;
        lora.merge();
        return base;
      },
      save: (dir) => {
        writeSafetensors(
          join(dir, "lora.safetensors"),
          lora.stateDict({ prefix: "unet" }),
          lora.metadata({ prefix: "unet" }),
        );
        saveSettings(dir, options);
      },
      [Symbol.dispose]: () => lora[Symbol.dispose](),
    };
  }
  const network = base.clone().requiresGrad_(true);
  if (options.form !== "difference") {
    // The last convolution starts at zero: the module begins without any effect (reference: delta model).
    const state = network.stateDict();
    noGrad(() => ["conv_out.weight", "conv_out.bias"].forEach((key) => scope(() => state.get(key)!.zero_())));
  }
  const denoiser = new GuidedDenoiser(base, { kind: "network", network }, guidance);
  return {
    denoiser,
    weights: network.stateDict(),
    parameterCount: network.parameterCount(),
    forSampling: () => denoiser,
    save: (dir) => {
      saveUnet(join(dir, "unet_delta"), network);
      saveSettings(dir, options);
    },
    [Symbol.dispose]: () => network[Symbol.dispose](),
  };
}

const SETTINGS = "guidance.json";

const saveSettings = (dir: string, { form, module, rank, strength, ratio }: Options): void =>
  writeFileAtomic(join(dir, SETTINGS), JSON.stringify({ form, module, rank, strength, ratio }, null, 2));

/** Loads what `save` wrote, around the same base. */
export function loadGuidance(base: UNet2DConditionModel, dir: string, options: Options): GuidanceModel {
  const stored = readJsonIfThere<Partial<Options>>(join(dir, SETTINGS));
  if (!stored)
    throw new CheckpointError(
      `${join(dir, SETTINGS)} is missing; expected a folder that the guidance stage wrote.`,
    );
  const model = makeGuidance(base, { ...options, ...stored, strength: options.strength }, 0);
  const lora = stored.module === "lora" && stored.form === "difference";
  const file = lora
    ? join(dir, "lora.safetensors")
    : join(dir, "unet_delta", "diffusion_pytorch_model.safetensors");
  const tensors = readSafetensors(file);
  noGrad(() =>
    scope(() => {
      for (const [key, weight] of model.weights) {
        const value = tensors.get(lora ? `unet.${key}` : key);
        if (!value) throw new CheckpointError(`${file} lacks the tensor ${key}.`);
        weight.copy_(value);
      }
    }),
  );
  for (const value of tensors.values()) value.dispose();
  return model;
}
