// A model's weights, in whatever files they lie: one file or shards, safetensors or pickles, with or without a variant.
import type { Tensor } from "../torch/index.ts";
import { readSharded } from "./sharded-reader.ts";
import { readWeightFile } from "./weight-file.ts";
import { findWeights, type FindOptions } from "./weights-find.ts";

/**
 * All tensors by name, mapped into memory: opening costs no reading, and nothing written to them reaches the files. `place`
 * is a component's folder, a file, or an index of shards. The caller owns the tensors.
 * Throws CheckpointError naming file and key.
 */
export function readWeights(place: string, options: FindOptions = {}): Map<string, Tensor> {
  const path = findWeights(place, options);
  return path.endsWith(".json") ? readSharded(path) : readWeightFile(path);
}
