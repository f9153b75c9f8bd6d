// The safetensors format: reader, writer, header.
export { readSafetensorsHeader, type SafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";
export { readSafetensors } from "./safetensors-reader.ts";
export { writeSafetensors } from "./safetensors-writer.ts";
