// A diffusers model folder: `model_index.json` beside one sub-folder per component.
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { CheckpointError, writeFileAtomic } from "../torch/index.ts";
import { readJsonObject } from "./json.ts";

const INDEX = "model_index.json";

/** The parts that a Stable Diffusion folder has. */
export const COMPONENTS = ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] as const;
export type ComponentName = (typeof COMPONENTS)[number];

/** The file that a component's folder must have. */
const CONFIG_FILES: Record<ComponentName, string> = {
  unet: "config.json",
  vae: "config.json",
  text_encoder: "config.json",
  tokenizer: "vocab.json",
  scheduler: "scheduler_config.json",
};

/** Names that diffusers and transformers give to weights, in the order tried. */
const WEIGHT_FILES = ["diffusion_pytorch_model.safetensors", "model.safetensors"];

export interface ModelIndex {
  /** Pipeline class, for example "StableDiffusionPipeline". */
  readonly className: string;
  /** Component name to [library, class], for example unet: ["diffusers", "UNet2DConditionModel"]. Absent components are left out. */
  readonly components: Readonly<Record<string, readonly [library: string, className: string]>>;
}

/** Reads `model_index.json`. Throws CheckpointError when it is missing or broken. */
export function readModelIndex(folder: string): ModelIndex {
  if (!existsSync(join(folder, INDEX))) {
    const what = existsSync(folder) ? `has no ${INDEX}` : "does not exist";
    throw new CheckpointError(
      `${folder} ${what}; expected a diffusers model folder (${INDEX} beside ${COMPONENTS.join(", ")}).`,
    );
  }
  const { _class_name: className, ...rest } = readJsonObject(join(folder, INDEX));
  if (typeof className !== "string")
    throw new CheckpointError(`${join(folder, INDEX)} has no text _class_name.`);
  const components = Object.entries(rest).filter(
    (entry): entry is [string, [string, string]] =>
      Array.isArray(entry[1]) && entry[1].length === 2 && entry[1].every((part) => typeof part === "string"),
  );
  return { className, components: Object.fromEntries(components) };
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
  writeFileAtomic(join(folder, INDEX), JSON.stringify(index, null, 2) + "\n");
}

/** The folder of one component. Throws CheckpointError when it or its configuration file is missing. */
export const componentFolder = (folder: string, component: ComponentName): string =>
  modelFolder(folder, [component])[component];

/**
 * The folders of the components asked for (default: all). Throws one CheckpointError that lists everything missing.
 */
export function modelFolder<N extends ComponentName = ComponentName>(
  folder: string,
  components: readonly N[] = COMPONENTS as readonly ComponentName[] as readonly N[],
): Record<N, string> {
  if (!existsSync(folder)) throw new CheckpointError(`Model folder ${folder} does not exist.`);
  const missing = components.flatMap((name) => {
    if (!existsSync(join(folder, name))) return [`${name}/`];
    return existsSync(join(folder, name, CONFIG_FILES[name])) ? [] : [join(name, CONFIG_FILES[name])];
  });
  if (missing.length > 0) {
    throw new CheckpointError(
      `Model folder ${folder} lacks ${missing.join(", ")}; expected a diffusers folder with ${components.join(", ")}.`,
    );
  }
  return Object.fromEntries(components.map((name) => [name, join(folder, name)])) as Record<N, string>;
}

/** The safetensors file of a component's folder. Throws CheckpointError saying what is there instead. */
export function findWeights(folder: string): string {
  const found = WEIGHT_FILES.map((name) => join(folder, name)).find(
    (path) => existsSync(path) && statSync(path).isFile(),
  );
  if (found !== undefined) return found;
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const pickled = files.find((name) => /\.(bin|ckpt|pth|pt)$/.test(name));
  const sharded = files.find((name) => name.endsWith(".safetensors.index.json"));
  const variant = files.find((name) => name.endsWith(".safetensors"));
  const hint =
    sharded !== undefined
      ? `It is split in several files (${sharded}), which is not supported yet; save it again in Python with max_shard_size="100GB".`
      : variant !== undefined
        ? `There is ${variant}; rename it to ${WEIGHT_FILES[0]} to use it.`
        : pickled !== undefined
          ? `There is only ${pickled}, a Python pickle, which is not read for safety. Convert it in Python: ` +
            `load the model with from_pretrained("${basename(folder)}") and save_pretrained(..., safe_serialization=True).`
          : `The folder holds ${files.length === 0 ? "nothing" : files.slice(0, 8).join(", ")}.`;
  throw new CheckpointError(`${folder} has no weights (${WEIGHT_FILES.join(" or ")}). ${hint}`);
}
