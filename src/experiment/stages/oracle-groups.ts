// Stage "groups-oracle": groups from the true labels, for comparison only. The one training input that may read an
// evaluation column; it runs only when `groups.method: oracle` asks for it.
//
// The groups are those that inference looks for: group g holds, for every caption, the images with the g-th most
// frequent value of the attribute among that caption's images (0: what the caption usually shows); with several columns
// there is one group per combination of these ranks. Grouping by the bare
// value instead would set "land" against "water", whose losses differ because land is harder to draw, and the variance
// term would pull the model towards the harder one (measured, seed 0: bias 0.21 instead of 0.02).
import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { firstCaptions } from "../../data/index.ts";
import { DataError } from "../../torch/index.ts";
import { hashJson } from "../hash.ts";
import type { Stage } from "../stage.ts";
import type { ExperimentConfig } from "../config.ts";
import { dataNeeds, trainFolder } from "./folders.ts";
import { saveGroups } from "./groups.ts";
import { readItems } from "./items-file.ts";

export const oracleGroupsStage = (config: ExperimentConfig): Stage => ({
  name: "groups-oracle",
  needs: [...dataNeeds(config), "latents"],
  inputs: ({ data, groups: { oracleColumn } }) => ({
    format: "rank within the caption",
    oracleColumn,
    labels:
      data.kind === "folder"
        ? hashJson([...readEvaluationColumns(data.path!, [oracleColumn].flat())])
        : "birds",
  }),
  run(context) {
    const { config, dir, input } = context;
    const columns = [config.groups.oracleColumn].flat();
    const { path, split } = trainFolder(context);
    const labels = readEvaluationColumns(path, columns, { split });
    const items = readItems(input("latents"));
    const { ids } = items;
    const captionOf = firstCaptions(items);
    const ranks = columns.map((column) => {
      const values = ids.map((id) => String(labels.get(id)![column]));
      if (new Set(values).size < 2)
        throw new DataError(
          `Column "${column}" has the single value "${values[0]}"; true groups need at least two.`,
        );
      return valueRanks(values, captionOf);
    });
    const { groupOf, count } = rankGroups(ranks);
    const weights = new Float32Array(ids.length * count);
    groupOf.forEach((group, row) => (weights[row * count + group] = 1));
    const method = `true labels (${columns.join(", ")})`;
    const sizes = saveGroups(dir, { method, count, found: true, weights, ids });
    return Promise.resolve({ method: "oracle", found: true, sizes });
  },
});

/** Group of each image from its ranks in several columns: the combinations that occur, the usual ones first. */
export function rankGroups(ranks: readonly (readonly number[])[]): { groupOf: number[]; count: number } {
  const sizes = ranks.map((column) => column.reduce((most, rank) => Math.max(most, rank), 0) + 1);
  // The first column counts fastest, as in inferred groups.
  const codes = ranks[0]!.map((_, row) =>
    ranks.reduceRight((code, column, c) => code * sizes[c]! + column[row]!, 0),
  );
  const present = [...new Set(codes)].sort((a, b) => a - b);
  return { groupOf: codes.map((code) => present.indexOf(code)), count: present.length };
}

/** Of each image: how many values are more frequent among the images of its caption (ties in alphabetical order). */
export function valueRanks(values: readonly string[], captionOf: ArrayLike<number>): number[] {
  const counts = new Map<number, Map<string, number>>();
  values.forEach((value, row) => {
    const own = counts.get(captionOf[row]!) ?? new Map<string, number>();
    own.set(value, (own.get(value) ?? 0) + 1);
    counts.set(captionOf[row]!, own);
  });
  const orders = new Map(
    [...counts].map(([caption, own]) => [
      caption,
      [...own].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([value]) => value),
    ]),
  );
  return values.map((value, row) => orders.get(captionOf[row]!)!.indexOf(value));
}
