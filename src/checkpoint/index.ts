// Model and tensor files: safetensors and pickles, diffusers folders, the reference's checkpoints, JSON configurations.
export { componentFolder, modelFolder } from "./diffusers-folder.ts";
export {
  DEFAULT_DELTA_RATIO,
  deltaGuidance,
  deltaRatio,
  parseInvdiffArgs,
  type DeltaGuidance,
  type InvdiffArgs,
} from "./invdiff-args.ts";
export {
  hasInvdiffGuidance,
  invdiffFolder,
  invdiffPaths,
  writeInvdiffArgs,
  type InvdiffFolder,
} from "./invdiff-layout.ts";
export { inspectPath, type Inspection } from "./inspect/index.ts";
export { readJson, readJsonObject, type JsonOptions } from "./json.ts";
export { readModelIndex, writeModelIndex, type ComponentName, type ModelIndex } from "./model-index.ts";
export {
  describeTorchFile,
  readTorchFile,
  readTorchStateDict,
  type OtherEntry,
  type TorchFileDescription,
  type TorchFileEntry,
  type TorchFileKind,
  type TorchValue,
} from "./pickle/index.ts";
export {
  latestRunState,
  listRunStates,
  openRunState,
  removeRunStates,
  saveRunState,
  type InvalidRunState,
  type OpenedRunState,
  type RunState,
  type RunStatePlace,
  type SaveRunStateOptions,
} from "./run-state/index.ts";
export { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
export type { SafetensorsHeader, TensorEntry } from "./safetensors.ts";
export { readShardIndex, type ShardIndex } from "./shard-index.ts";
export { checkPipeline } from "./supported-pipeline.ts";
export { componentVariant, findWeights, weightVariants, type FindOptions } from "./weights-find.ts";
export { readWeights } from "./weights.ts";
export { writeWeights, type WriteWeightsOptions } from "./weights-writer.ts";
