// `model_index.json`: which pipeline a diffusers folder holds, and the class of each of its components.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, writeFileAtomic } from "../torch/index.ts";
import { readJsonObject } from "./json.ts";

export const MODEL_INDEX = "model_index.json";

/** The parts that a Stable Diffusion folder has. */
export const COMPONENTS = ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] as const;
export type ComponentName = (typeof COMPONENTS)[number];

export interface ModelIndex {
  /** Pipeline class, for example "StableDiffusionPipeline". */
  readonly className: string;
  /** Component name to [library, class], for example unet: ["diffusers", "UNet2DConditionModel"]. Absent components are left out. */
  readonly components: Readonly<Record<string, readonly [library: string, className: string]>>;
}

/** Names that are components wherever they stand; any other text, number or truth value is an option of the pipeline. */
const COMPONENT_NAME =
  /^(unet|vae|transformer|scheduler|(text_encoder|tokenizer|image_encoder)(_\d)?|safety_checker|feature_extractor|controlnet)$/;

/** Reads `model_index.json`. Throws CheckpointError when it is missing, or broken: naming the entry. */
export function readModelIndex(folder: string): ModelIndex {
  const path = join(folder, MODEL_INDEX);
  if (!existsSync(path)) {
    const what = existsSync(folder) ? `has no ${MODEL_INDEX}` : "does not exist";
    throw new CheckpointError(
      `${folder} ${what}; expected a diffusers model folder (${MODEL_INDEX} beside ${COMPONENTS.join(", ")}).`,
    );
  }
  const { _class_name: className, ...rest } = readJsonObject(path, { uniqueKeys: true });
  if (typeof className !== "string" || className === "")
    throw new CheckpointError(
      `${path}: _class_name is ${JSON.stringify(className)}; expected the name of a pipeline class.`,
    );
  const components = Object.entries(rest).flatMap(([name, value]) => {
    const component = readComponent(name, value, path);
    return component === undefined ? [] : [[name, component] as const];
  });
  return { className, components: Object.fromEntries(components) };
}

/** [library, class], or undefined for an absent component and for an option of the pipeline. */
function readComponent(name: string, value: unknown, path: string): [string, string] | undefined {
  const isOption = typeof value !== "object" && !COMPONENT_NAME.test(name);
  if (value === null || name.startsWith("_") || isOption) return undefined;
  if (Array.isArray(value) && value.length === 2) {
    const [library, className] = value as unknown[];
    if (className === null) return undefined;
    if (typeof library === "string" && typeof className === "string" && className !== "")
      return [library, className];
  }
  throw new CheckpointError(
    `${path}: "${name}" is ${JSON.stringify(value)}; expected [library, class], or [null, null] for an absent part.`,
  );
}

/** Writes `model_index.json`; without `components` that of a plain Stable Diffusion pipeline with the given scheduler class. */
export function writeModelIndex(
  folder: string,
  options: { className?: string; schedulerClass?: string; components?: ModelIndex["components"] } = {},
): void {
  const { className = "StableDiffusionPipeline", schedulerClass = "DDIMScheduler" } = options;
  const components = options.components ?? {
    scheduler: ["diffusers", schedulerClass],
    text_encoder: ["transformers", "CLIPTextModel"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
  };
  const absent = Object.fromEntries(
    ["feature_extractor", "image_encoder", "safety_checker"]
      .filter((name) => !(name in components))
      .map((name) => [name, [null, null]]),
  );
  const index = {
    _class_name: className,
    _diffusers_version: "0.40.0",
    ...absent,
    requires_safety_checker: false,
    ...components,
  };
  writeFileAtomic(join(folder, MODEL_INDEX), JSON.stringify(index, null, 2) + "\n");
}
