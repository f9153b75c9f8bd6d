// What the stages load again and again: the model folder's parts.
import { existsSync } from "node:fs";
import { join } from "node:path";

import { modelFolder, readJsonObject } from "../../checkpoint/index.ts";
import { loadTextEncoder, loadUnet, loadVae, UNet2DConditionModel } from "../../models/index.ts";
import { ParamStore } from "../../nn/index.ts";
import { loadScheduler, type Scheduler, type SchedulerName } from "../../schedulers/index.ts";
import { ClipTokenizer } from "../../tokenizers/index.ts";
import { weightFormat } from "../config-accelerator.ts";
import { type ExperimentConfig, modelFolderOf, resolveUnet } from "../config.ts";
import { hashFolder } from "../hash.ts";

/** Fingerprint of the named parts of the model folder. */
export async function modelHash(
  config: ExperimentConfig,
  parts: readonly ("unet" | "vae" | "text_encoder" | "tokenizer" | "scheduler")[],
): Promise<Record<string, string>> {
  const folders = modelFolder(modelFolderOf(config), parts);
  const entries = await Promise.all(
    parts.map(async (part) => [part, await hashFolder(folders[part])] as const),
  );
  return Object.fromEntries(entries);
}

/** Where weights are, and how those of convolutions lie there. */
const placeIn = ({ device, accelerator }: ExperimentConfig) => ({
  device,
  memoryFormat: weightFormat(accelerator),
});

/** Weights are kept in float32 for training, whatever the file holds. */
const float32On = (config: ExperimentConfig) => ({ dtype: "float32", ...placeIn(config) }) as const;

export const openVae = (config: ExperimentConfig) =>
  loadVae(join(modelFolderOf(config), "vae"), float32On(config));

export const openTextEncoder = (config: ExperimentConfig) =>
  loadTextEncoder(join(modelFolderOf(config), "text_encoder"), float32On(config));

export const openTokenizer = (config: ExperimentConfig) =>
  ClipTokenizer.load(join(modelFolderOf(config), "tokenizer"));

/** For sampling: `as`, on the noise schedule of the model folder. */
export const openScheduler = (config: ExperimentConfig, as: SchedulerName): Scheduler => {
  const { predictionType } = config.model;
  return loadScheduler(join(modelFolderOf(config), "scheduler"), {
    as,
    ...(predictionType !== undefined && { options: { prediction_type: predictionType } }),
  });
};

/** For training: DDPM's forward process on the model's noise schedule; Euler's would leave the latents unscaled. */
export const openNoiseSchedule = (config: ExperimentConfig): Scheduler => openScheduler(config, "ddpm");

/** The U-Net that stage 1 starts from: the model folder's, or its architecture with fresh weights. */
export function initialUnet(config: ExperimentConfig): UNet2DConditionModel {
  const folder = join(modelFolderOf(config), "unet");
  if (resolveUnet(config) === "pretrained") return loadUnet(folder, float32On(config));
  const vs = ParamStore.seeded({ seed: config.seed, ...placeIn(config) });
  return new UNet2DConditionModel(vs, readJsonObject(join(folder, "config.json")));
}

/** The U-Net that stage 1 made. */
export const baseUnet = (config: ExperimentConfig, baseDir: string): UNet2DConditionModel =>
  loadUnet(join(baseDir, "unet"), float32On(config));

/** Reads JSON if the file exists. */
export const readJsonIfThere = <T>(path: string): T | undefined =>
  existsSync(path) ? (readJsonObject(path) as T) : undefined;
