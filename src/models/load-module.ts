// One model from its configuration and weights, wherever the two lie; every way in which they may not fit is an error.
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { findWeights, readJsonObject, readWeights } from "../checkpoint/index.ts";
import { buildFromTensors } from "../nn/index.ts";
import type { Module, ParamStore, StoreOptions } from "../nn/index.ts";
import { CheckpointError, InvDiffError, OutOfMemoryError } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { architectureHint } from "./architecture-hint.ts";
import { refuseOriginalLayout } from "./original-layout.ts";

export type ModelConfig = Record<string, unknown>;

/** `dtype` converts floating-point weights tensor by tensor; without it they keep the dtype of the file. */
export interface LoadOptions extends StoreOptions {
  /** "fp16" for the weights in diffusion_pytorch_model.fp16.safetensors. */
  readonly variant?: string;
  /** In place of the config.json beside the weights: a preset, or what a file would hold. */
  readonly config?: object;
}

/** Classes whose files can be read; a configuration without a class is taken for the right one. */
export interface LoadRules {
  readonly classes?: readonly string[];
}

/** Keys that Python's loaders leave aside: a buffer of old CLIP files, and copies kept by training. */
const LEFTOVER = /(^|\.)position_ids$|^model_ema\./;

/**
 * A model from a folder with config.json and weights, or from a file of weights with config.json beside it.
 * On failure nothing stays allocated. @throws CheckpointError, ConfigError naming folder, keys and what to do
 */
export function loadModule<M extends Module>(
  place: string,
  build: (vs: ParamStore, config: ModelConfig) => M,
  options: LoadOptions = {},
  { classes }: LoadRules = {},
): M {
  const { variant, config: given, ...store } = options;
  const config = { ...(given ?? configBeside(place)) } as ModelConfig;
  checkClass(place, config, classes);
  const path = findWeights(place, { variant });
  const tensors = readWeights(path);
  const shapes = new Map(Array.from(tensors, ([key, { shape }]) => [key, { shape }]));
  try {
    refuseOriginalLayout(tensors.keys());
    for (const key of tensors.keys()) if (LEFTOVER.test(key)) drop(tensors, key);
    const model = buildFromTensors(tensors, (vs) => build(vs, config), store);
    const used = new Set(model.stateDict().values());
    for (const tensor of tensors.values()) if (!used.has(tensor)) tensor.dispose();
    return model;
  } catch (error) {
    const hint = architectureHint(shapes, config);
    for (const tensor of tensors.values()) tensor.dispose();
    if (!(error instanceof InvDiffError) || error instanceof OutOfMemoryError) throw error;
    const message = [`${place}: ${error.message}`, ...(hint === undefined ? [] : [hint])].join("\n");
    throw new CheckpointError(message, { cause: error });
  }
}

function drop(tensors: Map<string, Tensor>, key: string): void {
  tensors.get(key)?.dispose();
  tensors.delete(key);
}

function configBeside(place: string): ModelConfig {
  if (!existsSync(place))
    throw new CheckpointError(`${place} does not exist; expected a model's folder or file.`);
  if (!statSync(place).isFile()) return readJsonObject(join(place, "config.json"));
  const path = join(dirname(place), "config.json");
  if (existsSync(path)) return readJsonObject(path);
  throw new CheckpointError(
    `${place} has no config.json beside it; put the model's there, or give the configuration (in code: { config }).`,
  );
}

function checkClass(place: string, config: ModelConfig, classes: readonly string[] | undefined): void {
  const { _class_name: diffusers, architectures } = config;
  const found = diffusers ?? (Array.isArray(architectures) ? (architectures as unknown[])[0] : undefined);
  if (classes === undefined || found === undefined || classes.includes(found as string)) return;
  const advice =
    found === "EpsilonWithDelta"
      ? " It holds base and guidance of InvDiff together; load unet_pretrain_unet and unet_delta beside it (loadInvdiffCheckpoint)."
      : "";
  throw new CheckpointError(
    `${place} holds a model of class ${typeof found === "string" ? found : JSON.stringify(found)}; expected ${classes.join(" or ")}.${advice}`,
  );
}
