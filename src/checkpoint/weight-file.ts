// One file of tensors, whatever its format: safetensors or a Python pickle, told apart by the ending as Python does.
import { existsSync } from "node:fs";
import { CheckpointError, type Tensor } from "../torch/index.ts";
import { readTorchStateDict } from "./pickle/index.ts";
import { readSafetensors } from "./safetensors.ts";

/**
 * The tensors of a file by name, mapped into memory; the caller owns them. Pickles are read by a reader that runs nothing.
 * Throws CheckpointError naming the file.
 */
export function readWeightFile(path: string): Map<string, Tensor> {
  if (!existsSync(path)) throw new CheckpointError(`${path} does not exist.`);
  if (path.endsWith(".safetensors")) return readSafetensors(path);
  if (/\.(bin|pth|pt|ckpt)$/.test(path)) return readTorchStateDict(path);
  throw new CheckpointError(
    `${path} is no file of weights; expected .safetensors, .bin, .pth, .pt or .ckpt.`,
  );
}
