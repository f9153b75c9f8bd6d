// A classifier's training on disk: everything that the next batch depends on, saved and restored to the bit.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { latestRunState, openRunState, saveRunState } from "../../checkpoint/index.ts";
import type { Resnet } from "../../models/index.ts";
import type { AdamW } from "../../nn/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { CLASSIFIER_FILE } from "./classifier-file.ts";

export const CHECKPOINTS = "checkpoints";
/** Of the best epoch so far, and of the finished classifier. */
export const WEIGHTS = "model.safetensors";

/** Where a training stands; plain JSON. Order and mirrors follow from the seed and the epoch. */
export interface Position {
  /** Counted from 1. */
  readonly epoch: number;
  /** Batches of this epoch that are done. */
  readonly batch: number;
  /** Sums over the images of this epoch so far. */
  readonly loss: number;
  readonly hits: number;
  readonly images: number;
  readonly best: { readonly epoch: number; readonly f1: number } | undefined;
}

export interface Trained {
  readonly model: Resnet;
  readonly optimizer: AdamW;
}

/** Saves beside the result, as the only checkpoint; `step` counts all batches. */
export function saveTraining(
  out: string,
  { model, optimizer }: Trained,
  step: number,
  position: Position,
): void {
  const tensors = { weights: model.stateDict(), optimizer: optimizer.stateDict() };
  saveRunState(join(out, CHECKPOINTS), { step, tensors, state: { position } }, { keep: 1 });
}

/** Goes back to the newest usable checkpoint; undefined when there is none. `note` hears why one is left aside. */
export function restoreTraining(
  out: string,
  { model, optimizer }: Trained,
  note: (text: string) => void,
): Position | undefined {
  const folder = join(out, CHECKPOINTS);
  if (!existsSync(folder)) return undefined;
  const place = latestRunState(folder, {
    onInvalid: ({ path, reason }) => note(`Checkpoint ${path} is damaged and left aside: ${reason}`),
  });
  if (place === undefined) return undefined;
  const saved = openRunState(place.path, { verify: false });
  const position = saved.state["position"] as Position;
  const gone = [WEIGHTS, CLASSIFIER_FILE].find((name) => !existsSync(join(out, name)));
  if (position.best !== undefined && gone !== undefined) {
    note(`${join(out, gone)}, with the best epoch so far, is gone: training anew.`);
    return undefined;
  }
  const use = (group: string, load: (tensors: Map<string, Tensor>) => void): void => {
    const tensors = saved.tensors(group);
    try {
      load(tensors);
    } finally {
      for (const value of tensors.values()) value.dispose();
    }
  };
  use("weights", (tensors) => model.loadStateDict(tensors));
  use("optimizer", (tensors) => optimizer.loadStateDict(tensors));
  return position;
}
