/** CLIP from the folder that transformers' CLIPModel and CLIPProcessor write. */
import { join } from "node:path";
import { readJsonObject } from "../checkpoint/index.ts";
import { clipImageOptions, type ClipImageOptions } from "../data/index.ts";
import { ClipModel } from "./clip/index.ts";
import { loadModule } from "./load-module.ts";
import type { LoadOptions } from "./load-module.ts";

/** The model of config.json and model.safetensors. @throws CheckpointError, ConfigError */
export const loadClip = (place: string, options: LoadOptions = {}): ClipModel =>
  loadModule(place, (vs, config) => new ClipModel(vs, config), options, { classes: ["CLIPModel"] });

/** How images become the model's input, from preprocessor_config.json. @throws CheckpointError, ConfigError */
export const loadClipImageOptions = (dir: string): ClipImageOptions =>
  clipImageOptions(readJsonObject(join(dir, "preprocessor_config.json")));
