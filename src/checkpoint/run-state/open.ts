// Reading a checkpoint back.
import { join } from "node:path";
import { CheckpointError, type Tensor } from "../../torch/index.ts";
import { readJsonObject } from "../json.ts";
import { readSafetensors } from "../safetensors.ts";
import { checkRunState } from "./manifest.ts";
import { STATE, tensorFile } from "./save.ts";

export interface OpenedRunState {
  readonly step: number;
  readonly state: Readonly<Record<string, unknown>>;
  /** Names of the groups of tensors. */
  readonly groups: readonly string[];
  /** A group's tensors by key, on the CPU, the caller's to dispose of. Throws CheckpointError for a name that is not in `groups`. */
  readonly tensors: (group: string) => Map<string, Tensor>;
}

/**
 * Opens the checkpoint at `path`; tensors are read when they are asked for. `verify: false` leaves out the hashes, for one
 * that `latestRunState` has just found. Throws CheckpointError saying what is wrong with it and what to do.
 */
export function openRunState(path: string, { verify = true }: { verify?: boolean } = {}): OpenedRunState {
  const { step, files } = checkRunState(path, { hashes: verify });
  const groups = [...files.keys()]
    .filter((name) => name !== STATE)
    .map((name) => name.replace(/\.safetensors$/, ""));
  return {
    step,
    groups,
    state: readJsonObject(join(path, STATE)),
    tensors: (group) => {
      if (groups.includes(group)) return readSafetensors(join(path, tensorFile(group)));
      throw new CheckpointError(
        `Checkpoint ${path} holds no tensors "${group}"; it holds ${groups.join(", ") || "none"}. It was saved by a run with other settings.`,
      );
    },
  };
}
