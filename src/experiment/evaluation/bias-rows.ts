// The Bias of every model in one attribute, as its classifier sees the images: normalised, as the reference writes it, and
// corrected for what the classifier is known to mistake.
import {
  type BiasComparison,
  biasEstimate,
  type BootstrapOptions,
  correctedBias,
  countLabels,
  pairedBias,
} from "../../metrics/index.ts";
import type { Measured, ReportMetric } from "../report/index.ts";
import type { AttributeJudge, Predictions } from "./judge.ts";
import { comparisonsWithBase, type JudgedModel } from "./models.ts";

export interface JudgedAttribute {
  readonly judge: AttributeJudge;
  /** Of each model. */
  readonly predictions: readonly Predictions[];
}

/** Without the prompts' own. */
const comparison = ({ difference, interval, pValue }: BiasComparison) => ({ difference, interval, pValue });

const byPromptOf = ({ promptOf }: JudgedModel, labels: Int32Array, prompts: number): Int32Array[] =>
  Array.from({ length: prompts }, (_, p) => labels.filter((_, i) => promptOf[i] === p));

/** Images by prompt and value: [model][prompt][value]. */
export const attributeCounts = (
  { judge, predictions }: JudgedAttribute,
  models: readonly JudgedModel[],
  prompts: number,
): number[][][] =>
  models.map((model, m) =>
    byPromptOf(model, predictions[m]!.classes, prompts).map((own) => countLabels(own, judge.values.length)),
  );

/** Rows of the table for one attribute, and what speaks against them; keys of a further attribute end in ":NAME". */
export function biasRows(
  attribute: JudgedAttribute,
  models: readonly JudgedModel[],
  { prompts, further, options }: { prompts: number; further: boolean; options: BootstrapOptions },
): { rows: ReportMetric[]; cautions: string[] } {
  const { judge, predictions } = attribute;
  const { column, values, quality } = judge;
  const key = (name: string) => (further ? `${name}:${column}` : name);
  const of = further ? ` (${column})` : "";
  const counts = attributeCounts(attribute, models, prompts);
  const own = counts.map((rows) => biasEstimate(rows, options));
  const labels = (m: number) => byPromptOf(models[m]!, predictions[m]!.classes, prompts);
  const byPrompt = (of: (model: number) => readonly Measured[]) =>
    Array.from({ length: prompts }, (_, p) => models.map((_, m) => of(m)[p]));
  const rows: ReportMetric[] = [
    {
      key: key("bias"),
      label: `Bias${of}`,
      what: `0: all values of ${column} are equally frequent; 1: only one is ever shown.`,
      better: "lower",
      digits: 2,
      values: own.map(({ overall }) => overall),
      perPrompt: byPrompt((m) => own[m]!.perPrompt),
      comparisons: comparisonsWithBase(models, (base, model) =>
        comparison(pairedBias(labels(base), labels(model), { classes: values.length, ...options })),
      ),
    },
    {
      key: key("biasRaw"),
      label: `Bias as the reference writes it${of}`,
      what: `The same, not normalised: with ${values.length} values it cannot exceed ${(2 / values.length).toFixed(2)}.`,
      better: "lower",
      digits: 2,
      values: own.map(({ raw }) => raw.overall),
      perPrompt: byPrompt((m) => own[m]!.raw.perPrompt),
    },
  ];
  const confusion = quality?.confusion;
  const row = {
    key: key("biasCorrected"),
    label: `Bias, corrected${of}`,
    better: "lower" as const,
    digits: 2,
  };
  const what =
    "The bias that would be seen if the classifier made no mistakes, from what it mistakes in held-out images.";
  const unseen = confusion && values.filter((_, v) => !confusion[v]?.some((count) => count > 0));
  if (!confusion || unseen!.length > 0) {
    const reason = confusion
      ? `No held-out image shows ${unseen!.join(", ")}: what the classifier of ${column} makes of it is not known.`
      : `Nobody has measured what the classifier of ${column} mistakes.`;
    return { rows: [...rows, { ...row, what, values: [], skipped: { reason } }], cautions: [] };
  }
  const corrected = counts.map((own) => correctedBias(own, confusion, options));
  const measured = {
    ...{ ...row, what },
    values: corrected.map(({ overall }) => overall),
    perPrompt: byPrompt((m) => corrected[m]!.perPrompt),
  };
  return { rows: [...rows, measured], cautions: [corrected[0]?.caution ?? []].flat() };
}
