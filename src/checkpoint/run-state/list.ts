// Which checkpoints a folder holds, and which of them is the newest that can be used.
import { CheckpointError } from "../../torch/index.ts";
import { checkRunState } from "./manifest.ts";
import { lookAround, type RunStatePlace } from "./names.ts";

/** A checkpoint that cannot be used. */
export interface InvalidRunState extends RunStatePlace {
  /** What is wrong with it, and what to do. */
  readonly reason: string;
}

/**
 * All checkpoints by name, lowest step first; a folder that is missing has none. One that a dying process had put aside
 * without a new one in its place counts, under its hidden name.
 */
export function listRunStates(dir: string): RunStatePlace[] {
  const { places, asides } = lookAround(dir);
  const taken = new Set(places.map(({ step }) => step));
  const orphans = asides.filter(({ kind, step }) => kind === "old" && !taken.has(step));
  return [...places, ...orphans.map(({ step, path }) => ({ step, path }))].sort((a, b) => a.step - b.step);
}

/** The newest checkpoint whose files are all as they were written; `onInvalid` hears of newer ones that are not. */
export function latestRunState(
  dir: string,
  { onInvalid }: { onInvalid?: (invalid: InvalidRunState) => void } = {},
): RunStatePlace | undefined {
  for (const place of listRunStates(dir).reverse()) {
    try {
      checkRunState(place.path);
      return place;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      onInvalid?.({ ...place, reason: error.message });
    }
  }
  return undefined;
}
