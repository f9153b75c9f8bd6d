// The models whose images an evaluation compares: which stage samples each, and what it is, in words.
import type { ExperimentConfig } from "../config.ts";

export interface ComparedModel {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  /** Stage with its images. */
  readonly stage: string;
}

/** "" for inferred groups; other ways to find groups have folders of their own, so that one base serves all. */
export const groupsSuffix = ({ groups: { method } }: Pick<ExperimentConfig, "groups">): string =>
  method === "inferred" ? "" : `-${method}`;

/** Guidance with groups that were found in another way than the run's own. */
export const OTHER_WAYS: readonly (ComparedModel & { readonly suffix: string })[] = [
  {
    suffix: "",
    stage: "samples",
    key: "inferred",
    label: "Guided, inferred groups",
    description: "Guidance trained on groups inferred without labels.",
  },
  {
    suffix: "-oracle",
    stage: "samples-oracle",
    key: "oracle",
    label: "Guided, true labels",
    description: "The same guidance, trained on the true labels: what perfect groups would give.",
  },
  {
    suffix: "-reference",
    stage: "samples-reference",
    key: "reference",
    label: "Guided, reference's groups",
    description: "The same guidance, trained on groups from the reference's own signal and solver.",
  },
];

/** Further ways to find groups that the run compares with its own. */
export const comparedWays = ({ groups, evaluation }: Pick<ExperimentConfig, "groups" | "evaluation">) =>
  (["oracle", "reference"] as const).filter(
    (method) => evaluation.compare.includes(method) && method !== groups.method,
  );

/** Stages that only the comparison needs: the evaluation's command makes them too. */
export function comparisonStageNames(config: Pick<ExperimentConfig, "groups" | "evaluation">): string[] {
  const suffix = groupsSuffix(config);
  const { compare } = config.evaluation;
  return [
    ...comparedWays(config).flatMap((way) => [`groups-${way}`, `guidance-${way}`, `samples-${way}`]),
    ...(compare.includes("diverse-prompt") ? ["samples-diverse-prompt"] : []),
    ...(compare.includes("reweighting") ? [`reweighted${suffix}`, `samples-reweighted${suffix}`] : []),
  ];
}

/** All models of the configuration, base and guided first. */
export function comparedModels(config: ExperimentConfig): ComparedModel[] {
  const suffix = groupsSuffix(config);
  const { compare } = config.evaluation;
  const ways: readonly string[] = comparedWays(config);
  return [
    {
      ...{ key: "base", label: "Base model", stage: "samples-base" },
      description: "The model fine-tuned on the data as it is.",
    },
    {
      ...{ key: "guided", label: "Guided model", stage: `samples${suffix}` },
      description: "The same base with its guidance.",
    },
    ...OTHER_WAYS.filter(({ key }) => ways.includes(key)),
    ...(compare.includes("diverse-prompt")
      ? [
          {
            ...{ key: "diverse-prompt", label: "Base, asked for diversity", stage: "samples-diverse-prompt" },
            description: "The base model, with “please generate diverse outputs” added to every prompt.",
          },
        ]
      : []),
    ...(compare.includes("reweighting")
      ? [
          {
            ...{ key: "reweighting", label: "Re-weighted data", stage: `samples-reweighted${suffix}` },
            description: "Fine-tuned as the base, on batches balanced over the groups; no guidance.",
          },
        ]
      : []),
  ];
}
