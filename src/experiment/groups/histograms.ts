// What a groups stage has to show in a tracker: how the losses and scores are spread, in all and by group.
import { existsSync } from "node:fs";
import { join } from "node:path";

import { loadGroups, type StoredGroups } from "./group-file.ts";
import { readLosses } from "./loss-shards.ts";
import type { Signal } from "../../method/index.ts";
import { largestInRows } from "../../metrics/index.ts";

/** Folder of the losses in a groups stage's own. */
export const LOSSES = "losses";

/** The histograms of a finished groups stage. Errors: those of `loadGroups` and `readLosses`. */
export function readGroupHistograms(dir: string): Map<string, Float32Array> {
  const losses = join(dir, LOSSES);
  return groupHistograms(loadGroups(dir), existsSync(losses) ? readLosses(losses) : undefined);
}

/** Values by name: "groups/score", "groups/score 0" of the images most likely in group 0, "groups/loss 850" by timestep. */
export function groupHistograms(
  { scores, weights, count }: Pick<StoredGroups, "scores" | "weights" | "count">,
  signal?: Signal,
): Map<string, Float32Array> {
  const histograms = new Map<string, Float32Array>();
  if (scores) {
    histograms.set("groups/score", scores);
    const own = largestInRows(weights, count);
    if (count > 1)
      for (let g = 0; g < count; g++)
        histograms.set(
          `groups/score ${g}`,
          scores.filter((_, row) => own[row] === g),
        );
  }
  const width = signal?.columns.length ?? 0;
  signal?.columns.forEach(({ timestep, noise, contrast }, column) => {
    const name = `groups/loss ${timestep}${noise > 0 ? `, noise ${noise}` : ""}${contrast ? ", contrast" : ""}`;
    histograms.set(
      name,
      signal.losses.filter((_, i) => i % width === column),
    );
  });
  return histograms;
}
