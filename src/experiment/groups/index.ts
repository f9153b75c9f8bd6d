// Groups and the losses that they are inferred from, as files.
export {
  alignGroups,
  groupFiles,
  type GroupsSummary,
  loadGroups,
  readGroupFile,
  saveGroups,
  type StoredGroups,
  writeGroupFile,
} from "./group-file.ts";
export { type HardGroups, hardGroups } from "./hard-groups.ts";
export { groupHistograms, LOSSES, readGroupHistograms } from "./histograms.ts";
export {
  type MeasuredLosses,
  measureLosses,
  type MeasureOptions,
  readLosses,
  type StoredLosses,
} from "./loss-shards.ts";
export {
  type GivenGroups,
  grouperFiles,
  type GrouperOptions,
  readReferenceGrouper,
} from "./reference-grouper.ts";
export { groupSizes, toShares } from "./soft-weights.ts";
