// The stages of an experiment, in order: data -> latents -> base -> groups -> guidance -> samples -> evaluation.
import type { ExperimentConfig } from "../config.ts";
import type { Stage } from "../stage.ts";
import { baseStage } from "./base.ts";
import { diverseSamplesStage, reweightedSamplesStage, reweightedStage } from "./baselines.ts";
import { classifiersStage, trainsClassifiers } from "./classifiers.ts";
import { dataStage } from "./data.ts";
import { evaluationStage } from "./evaluation.ts";
import { comparedWays, groupsSuffix } from "./compared-models.ts";
import { columnGroupsStage, fileGroupsStage } from "./given-groups.ts";
import { groupsStage } from "./groups.ts";
import { guidanceStage } from "./guidance.ts";
import { latentsStage } from "./latents.ts";
import { oracleGroupsStage } from "./oracle-groups.ts";
import { baseSamplesStage, guidedSamplesStage } from "./samples.ts";

export { groupsSuffix } from "./compared-models.ts";

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

/** A stage that works with other settings than the run's. */
const withConfig = (stage: Stage, config: ExperimentConfig): Stage => ({
  ...stage,
  inputs: () => stage.inputs(config),
  run: (context) => stage.run({ ...context, config }),
});

/** The stages of further rows of the comparison; a row that is the run itself is left out. */
function comparisonStages(config: ExperimentConfig): Stage[] {
  const suffix = groupsSuffix(config);
  const guided = comparedWays(config).flatMap((method) => {
    const own = { ...config, groups: { ...config.groups, method } };
    const stages = [groupsStageOf(own), guidanceStage(`-${method}`), guidedSamplesStage(`-${method}`)];
    return stages.map((stage) => withConfig(stage, own));
  });
  return [
    ...guided,
    ...(config.evaluation.compare.includes("diverse-prompt") ? [diverseSamplesStage] : []),
    ...(config.evaluation.compare.includes("reweighting")
      ? [reweightedStage(suffix), reweightedSamplesStage(suffix)]
      : []),
  ];
}

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
    ...comparisonStages(config),
    ...(trainsClassifiers(config) ? [classifiersStage(config)] : []),
    evaluationStage(suffix, config),
  ];
}
