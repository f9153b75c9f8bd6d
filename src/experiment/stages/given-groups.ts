// Stages "groups-file" and "groups-column": groups that the user gives instead of inferred ones. The second reads a column
// of the metadata, which no other training stage may see; it runs only when `groups.method: column` asks for it.
import { basename } from "node:path";

import { readEvaluationColumns } from "../../data/evaluation-columns.ts";
import type { ExperimentConfig } from "../config.ts";
import {
  alignGroups,
  groupFiles,
  grouperFiles,
  hardGroups,
  readGroupFile,
  readReferenceGrouper,
  saveGroups,
  type StoredGroups,
} from "../groups/index.ts";
import { hashFile, hashJson } from "../hash.ts";
import type { Stage, StageContext } from "../stage.ts";
import { dataNeeds, folderItems, type FolderRef, trainFolder } from "./folders.ts";
import { readItems } from "./items-file.ts";

/** Soft groups of `groups.file`: ours, or a pickled grouper of the reference with `groups.index`. */
export const fileGroupsStage = (config: ExperimentConfig): Stage => ({
  name: "groups-file",
  needs: [...dataNeeds(config), "latents"],
  inputs: async ({ data, groups: { index } }) => {
    const path = config.groups.file!;
    const files = isOurs(path) ? groupFiles(path) : grouperFiles(path, index);
    return {
      files: await Promise.all(files.map(hashFile)),
      // A grouper's rows are found by an image's place among all of the folder.
      dataset: !isOurs(path) && data.kind === "folder" ? hashJson(allIds(config, { path: data.path! })) : "",
    };
  },
  run(context) {
    const { config, input } = context;
    const path = config.groups.file!;
    const { ids } = readItems(input("latents"));
    const method = `weights of ${basename(path)}`;
    if (isOurs(path)) {
      const file = readGroupFile(path);
      const { count, found, weights, scores } = alignGroups(file, ids, path);
      const unusedRows = file.ids.length - ids.length;
      return finish(context, { ids, method, count, found, weights, scores }, { unusedRows });
    }
    const options = { dataset: allIds(config, trainFolder(context)), ids, index: config.groups.index };
    const { count, weights, rowsBy } = readReferenceGrouper(path, options);
    return finish(context, { ids, method, count, found: count > 1, weights }, { rowsBy });
  },
});

/** Hard groups: one for each value of `groups.column`. */
export const columnGroupsStage = (config: ExperimentConfig): Stage => ({
  name: "groups-column",
  needs: [...dataNeeds(config), "latents"],
  inputs: ({ data }) => {
    const column = config.groups.column!;
    return {
      column,
      values: data.kind === "folder" ? hashJson([...readEvaluationColumns(data.path!, [column])]) : "birds",
    };
  },
  run(context) {
    const { config, input } = context;
    const column = config.groups.column!;
    const { path, split } = trainFolder(context);
    const rows = readEvaluationColumns(path, [column], { split });
    const { ids } = readItems(input("latents"));
    const values = ids.map((id) => rows.get(id)![column]!);
    const groups = hardGroups(ids, values, { name: `Column "${column}"` });
    return finish(
      context,
      { ...groups, method: `values of ${column}`, found: true },
      { values: groups.labels },
    );
  },
});

const isOurs = (path: string): boolean => path.endsWith(".safetensors");

const allIds = (config: ExperimentConfig, folder: FolderRef): string[] =>
  folderItems(config, folder).map(({ id }) => id);

function finish(
  { dir }: StageContext,
  groups: Omit<StoredGroups, "sizes">,
  more: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { method, found } = groups;
  const sizes = saveGroups(dir, groups);
  return Promise.resolve({ method, found, sizes, ...more });
}
