// One model to a folder, as Python's save_pretrained writes it.
import { join } from "node:path";
import { writeWeights } from "../checkpoint/index.ts";
import type { WriteWeightsOptions } from "../checkpoint/index.ts";
import type { Module } from "../nn/index.ts";
import { writeFileAtomic } from "../torch/index.ts";
import type { DType } from "../torch/index.ts";

/** `dtype` converts floating-point weights, `variant` ("fp16") goes into the file names, `maxShardBytes` splits them. */
export type SaveOptions = WriteWeightsOptions;

/** Name of the weights in diffusers' and in transformers' folders. */
export type WeightBase = "diffusion_pytorch_model" | "model";

/**
 * Writes weights and config.json. Each file appears whole or not at all, and files of an earlier save of the same variant
 * are replaced. @throws ConfigError for a wrong option
 */
export function saveModule(
  dir: string,
  model: Module,
  { base, config }: { base: WeightBase; config: object },
  options: SaveOptions = {},
): void {
  writeWeights(dir, base, model.stateDict(), options);
  writeFileAtomic(join(dir, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

/** The dtype of the weights once they are saved; transformers loads them in the one that config.json names. */
export const savedDType = (model: Module, { dtype }: SaveOptions): DType =>
  dtype ?? model.parameters()[0]?.dtype ?? "float32";
