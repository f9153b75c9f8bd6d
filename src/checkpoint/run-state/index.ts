// Checkpoints of a training: tensors by group and any JSON, whole or not there, verified by hashes.
export { latestRunState, listRunStates, type InvalidRunState } from "./list.ts";
export type { RunStatePlace } from "./names.ts";
export { openRunState, type OpenedRunState } from "./open.ts";
export { removeRunStates, saveRunState, type RunState, type SaveRunStateOptions } from "./save.ts";
