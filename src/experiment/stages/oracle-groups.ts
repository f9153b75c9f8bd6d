// Stage "groups-oracle": groups from the true labels, for comparison only. The one training input that may read an
// evaluation column; it runs only when `groups.method: oracle` asks for it.
import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import { DataError } from "../../torch/index.ts";
import { hashJson } from "../hash.ts";
import type { Stage } from "../stage.ts";
import type { ExperimentConfig } from "../config.ts";
import { dataNeeds, trainFolder } from "./folders.ts";
import { groupSizes, saveGroups } from "./groups.ts";
import { loadLatentSet } from "./materials.ts";

export const oracleGroupsStage = (config: ExperimentConfig): Stage => ({
  name: "groups-oracle",
  needs: [...dataNeeds(config), "latents"],
  inputs: ({ data, groups: { oracleColumn } }) => ({
    oracleColumn,
    labels:
      data.kind === "folder" ? hashJson([...readEvaluationColumns(data.path!, [oracleColumn])]) : "birds",
  }),
  run(context) {
    const { config, dir, input } = context;
    const column = config.groups.oracleColumn;
    const { path, split } = trainFolder(context);
    const labels = readEvaluationColumns(path, [column], { split });
    using set = loadLatentSet(input("latents"));
    const values = set.ids.map((id) => String(labels.get(id)![column]));
    const distinct = [...new Set(values)].sort();
    if (distinct.length < 2)
      throw new DataError(
        `Column "${column}" has the single value "${distinct[0]}"; true groups need at least two.`,
      );
    const count = distinct.length;
    const weights = new Float32Array(values.length * count);
    values.forEach((value, row) => (weights[row * count + distinct.indexOf(value)] = 1));
    const sizes = groupSizes(weights, count);
    saveGroups(dir, { method: `true labels (${column})`, count, found: true, sizes, weights });
    return Promise.resolve({ method: "oracle", found: true, sizes });
  },
});
