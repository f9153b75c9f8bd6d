/**
 * Models from and to the sub-folders of a diffusers pipeline: config.json beside diffusion_pytorch_model.safetensors
 * (unet, vae) or model.safetensors (text_encoder). Python's from_pretrained reads what is written here.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findWeights, readJsonObject, readSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import { buildFromTensors } from "../nn/index.ts";
import type { Module, ParamStore, StoreOptions } from "../nn/index.ts";
import { CheckpointError, InvDiffError, writeFileAtomic } from "../torch/index.ts";
import { ClipTextModel } from "./clip/index.ts";
import { ResnetClassifier } from "./resnet-classifier.ts";
import type { ResnetClassifierConfig } from "./resnet-classifier.ts";
import { UNet2DConditionModel } from "./unet/index.ts";
import { AutoencoderKL } from "./vae/index.ts";

type Config = Record<string, unknown>;

/** A model from a folder with config.json and weights. @throws CheckpointError, ConfigError naming the folder */
export function loadModule<M extends Module>(
  dir: string,
  build: (vs: ParamStore, config: Config) => M,
  options: StoreOptions,
): M {
  const config = readJsonObject(join(dir, "config.json"));
  const tensors = readSafetensors(findWeights(dir));
  try {
    const model = buildFromTensors(tensors, (vs) => build(vs, config), options);
    const used = new Set(model.parameters());
    for (const tensor of tensors.values()) if (!used.has(tensor)) tensor.dispose();
    return model;
  } catch (error) {
    for (const tensor of tensors.values()) tensor.dispose();
    if (!(error instanceof InvDiffError)) throw error;
    throw new CheckpointError(`${dir}: ${error.message}`, { cause: error });
  }
}

function save(dir: string, model: Module, file: string, config: Config): void {
  mkdirSync(dir, { recursive: true });
  writeSafetensors(join(dir, file), model.stateDict(), { format: "pt" });
  writeFileAtomic(join(dir, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

const DIFFUSERS_FILE = "diffusion_pytorch_model.safetensors";
const diffusersConfig = (className: string, config: object): Config => ({
  _class_name: className,
  _diffusers_version: "0.40.0",
  ...config,
});

/** The U-Net of a pipeline's `unet` folder. @throws CheckpointError, ConfigError */
export const loadUnet = (dir: string, options: StoreOptions = {}): UNet2DConditionModel =>
  loadModule(dir, (vs, config) => new UNet2DConditionModel(vs, config), options);

/** The autoencoder of a pipeline's `vae` folder. @throws CheckpointError, ConfigError */
export const loadVae = (dir: string, options: StoreOptions = {}): AutoencoderKL =>
  loadModule(dir, (vs, config) => new AutoencoderKL(vs, config), options);

/** The text encoder of a pipeline's `text_encoder` folder. @throws CheckpointError, ConfigError */
export const loadTextEncoder = (dir: string, options: StoreOptions = {}): ClipTextModel =>
  loadModule(dir, (vs, config) => new ClipTextModel(vs, config), options);

/** A classifier written by `saveClassifier`. @throws CheckpointError */
export const loadClassifier = (dir: string, options: StoreOptions = {}): ResnetClassifier =>
  loadModule(
    dir,
    (vs, config) => new ResnetClassifier(vs, config as Partial<ResnetClassifierConfig>),
    options,
  );

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveUnet = (dir: string, model: UNet2DConditionModel): void =>
  save(dir, model, DIFFUSERS_FILE, diffusersConfig("UNet2DConditionModel", model.config));

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveVae = (dir: string, model: AutoencoderKL): void =>
  save(dir, model, DIFFUSERS_FILE, diffusersConfig("AutoencoderKL", model.config));

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveTextEncoder = (dir: string, model: ClipTextModel): void =>
  save(dir, model, "model.safetensors", {
    architectures: ["CLIPTextModel"],
    model_type: "clip_text_model",
    dtype: "float32",
    ...model.config,
  });

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveClassifier = (dir: string, model: ResnetClassifier): void =>
  save(dir, model, "model.safetensors", { architectures: ["ResnetClassifier"], ...model.config });
