// A diffusers model folder: `model_index.json` beside one sub-folder per component.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError } from "../torch/index.ts";
import { COMPONENTS, type ComponentName, MODEL_INDEX, readModelIndex } from "./model-index.ts";
import { checkPipeline } from "./supported-pipeline.ts";

/** The file that a component's folder must have: one of these. */
const CONFIG_FILES: Record<ComponentName, readonly [string, ...string[]]> = {
  unet: ["config.json"],
  vae: ["config.json"],
  text_encoder: ["config.json"],
  tokenizer: ["vocab.json", "tokenizer.json"], // transformers 5 writes the second only
  scheduler: ["scheduler_config.json"],
};

/** The folder of one component. Throws CheckpointError when it or its configuration file is missing. */
export const componentFolder = (folder: string, component: ComponentName): string =>
  modelFolder(folder, [component])[component];

/**
 * The folders of the components asked for (default: all). Throws one CheckpointError that lists everything missing, or
 * everything that the folder's model_index.json names and this project cannot use.
 */
export function modelFolder<N extends ComponentName = ComponentName>(
  folder: string,
  components: readonly N[] = COMPONENTS as readonly ComponentName[] as readonly N[],
): Record<N, string> {
  if (!existsSync(folder)) throw new CheckpointError(`Model folder ${folder} does not exist.`);
  // Folders of single components have no index; what is asked for decides then.
  if (existsSync(join(folder, MODEL_INDEX))) checkPipeline(folder, readModelIndex(folder), components);
  const missing = components.flatMap((name) => {
    if (!existsSync(join(folder, name))) return [`${name}/`];
    const files = CONFIG_FILES[name];
    return files.some((file) => existsSync(join(folder, name, file))) ? [] : [join(name, files[0])];
  });
  if (missing.length > 0) {
    throw new CheckpointError(
      `Model folder ${folder} lacks ${missing.join(", ")}; expected a diffusers folder with ${components.join(", ")}.`,
    );
  }
  return Object.fromEntries(components.map((name) => [name, join(folder, name)])) as Record<N, string>;
}
