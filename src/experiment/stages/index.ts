// The stages of an experiment, in order: data -> latents -> base -> groups -> guidance -> samples -> evaluation.
import type { ExperimentConfig } from "../config.ts";
import type { Stage } from "../stage.ts";
import { baseStage } from "./base.ts";
import { canClassify, classifiersStage } from "./classifiers.ts";
import { dataStage } from "./data.ts";
import { evaluationStage } from "./evaluation.ts";
import { columnGroupsStage, fileGroupsStage } from "./given-groups.ts";
import { groupsStage } from "./groups.ts";
import { guidanceStage } from "./guidance.ts";
import { latentsStage } from "./latents.ts";
import { oracleGroupsStage } from "./oracle-groups.ts";
import { baseSamplesStage, guidedSamplesStage } from "./samples.ts";

/** The stage that makes the groups of the configured method. */
function groupsStageOf(config: ExperimentConfig): Stage {
  switch (config.groups.method) {
    case "oracle":
      return oracleGroupsStage(config);
    case "file":
      return fileGroupsStage(config);
    case "column":
      return columnGroupsStage(config);
    case "inferred":
    case "reference":
      return groupsStage(`groups${groupsSuffix(config)}`, config);
  }
}

/** "" for inferred groups; other ways to find groups have folders of their own, so that one base serves all. */
export const groupsSuffix = ({ groups: { method } }: ExperimentConfig): string =>
  method === "inferred" ? "" : `-${method}`;

/** The stages that this configuration needs; each comes after those that it reads. */
export function experimentStages(config: ExperimentConfig): Stage[] {
  const suffix = groupsSuffix(config);
  return [
    ...(config.data.kind === "birds" ? [dataStage] : []),
    latentsStage(config),
    baseStage,
    groupsStageOf(config),
    guidanceStage(suffix),
    baseSamplesStage,
    guidedSamplesStage(suffix),
    ...(canClassify(config) ? [classifiersStage(config)] : []),
    evaluationStage(suffix, config),
  ];
}
