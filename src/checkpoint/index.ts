// Model and tensor files: safetensors, diffusers folders, JSON configurations.
export {
  componentFolder,
  findWeights,
  modelFolder,
  readModelIndex,
  writeModelIndex,
  type ComponentName,
  type ModelIndex,
} from "./diffusers-folder.ts";
export { readJson, readJsonObject } from "./json.ts";
export { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
export type { SafetensorsHeader, TensorEntry } from "./safetensors.ts";
