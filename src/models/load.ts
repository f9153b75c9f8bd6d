/**
 * Models from and to the sub-folders of a diffusers pipeline: config.json beside diffusion_pytorch_model.safetensors
 * (unet, vae) or model.safetensors (text_encoder). Python's from_pretrained reads what is written here.
 */
import { ClipTextModel } from "./clip/index.ts";
import { loadModule } from "./load-module.ts";
import type { LoadOptions, ModelConfig } from "./load-module.ts";
import { ResnetClassifier } from "./resnet-classifier.ts";
import type { ResnetClassifierConfig } from "./resnet-classifier.ts";
import { savedDType, saveModule } from "./save-module.ts";
import type { SaveOptions } from "./save-module.ts";
import { UNet2DConditionModel } from "./unet/index.ts";
import { AutoencoderKL } from "./vae/index.ts";

export { loadModule } from "./load-module.ts";
export type { LoadOptions } from "./load-module.ts";
export type { SaveOptions } from "./save-module.ts";

/** What diffusers' EMAModel adds to the config.json of the U-Net that it saves (folders named unet_ema). */
const EMA_NOTES = [
  "decay",
  "inv_gamma",
  "min_decay",
  "optimization_step",
  "power",
  "update_after_step",
  "use_ema_warmup",
];

const withoutEmaNotes = (config: ModelConfig): ModelConfig =>
  Object.fromEntries(Object.entries(config).filter(([option]) => !EMA_NOTES.includes(option)));

/**
 * The U-Net of a pipeline's `unet` folder, or of a file of weights. @throws CheckpointError, ConfigError
 */
export const loadUnet = (place: string, options: LoadOptions = {}): UNet2DConditionModel =>
  loadModule(place, (vs, config) => new UNet2DConditionModel(vs, withoutEmaNotes(config)), options, {
    classes: ["UNet2DConditionModel"],
  });

/** The autoencoder of a pipeline's `vae` folder, or of a file of weights. @throws CheckpointError, ConfigError */
export const loadVae = (place: string, options: LoadOptions = {}): AutoencoderKL =>
  loadModule(place, (vs, config) => new AutoencoderKL(vs, config), options, { classes: ["AutoencoderKL"] });

const TEXT_CLASSES = ["CLIPTextModel", "CLIPTextModelWithProjection"];

/** The text encoder of a pipeline's `text_encoder` folder, or of a file of weights. @throws CheckpointError, ConfigError */
export const loadTextEncoder = (place: string, options: LoadOptions = {}): ClipTextModel =>
  loadModule(place, (vs, config) => new ClipTextModel(vs, config), options, { classes: TEXT_CLASSES });

/** A classifier written by `saveClassifier`. @throws CheckpointError */
export const loadClassifier = (place: string, options: LoadOptions = {}): ResnetClassifier =>
  loadModule(
    place,
    (vs, config) => new ResnetClassifier(vs, config as Partial<ResnetClassifierConfig>),
    options,
  );

const DIFFUSERS = "diffusion_pytorch_model";

const diffusersConfig = (className: string, config: object) => ({
  _class_name: className,
  _diffusers_version: "0.40.0",
  ...config,
});

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveUnet = (dir: string, model: UNet2DConditionModel, options: SaveOptions = {}): void =>
  saveModule(
    dir,
    model,
    { base: DIFFUSERS, config: diffusersConfig("UNet2DConditionModel", model.config) },
    options,
  );

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveVae = (dir: string, model: AutoencoderKL, options: SaveOptions = {}): void =>
  saveModule(
    dir,
    model,
    { base: DIFFUSERS, config: diffusersConfig("AutoencoderKL", model.config) },
    options,
  );

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveTextEncoder = (dir: string, model: ClipTextModel, options: SaveOptions = {}): void => {
  const dtype = savedDType(model, options);
  const className = model.hasProjection ? "CLIPTextModelWithProjection" : "CLIPTextModel";
  const head = { architectures: [className], model_type: "clip_text_model", dtype };
  saveModule(dir, model, { base: "model", config: { ...head, ...model.config } }, options);
};

/** Writes config.json and weights; each file appears whole or not at all. */
export const saveClassifier = (dir: string, model: ResnetClassifier, options: SaveOptions = {}): void => {
  const config = { architectures: ["ResnetClassifier"], ...model.config };
  saveModule(dir, model, { base: "model", config }, options);
};
