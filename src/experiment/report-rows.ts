// The rows of the report's metric table, and its models, from the evaluation's table and those of other ways to find groups
// that were evaluated in the same folder.
import type { ClassifierEvaluation, ReportClassifier, ReportMetric, ReportModel } from "./report/index.ts";
import type { EvaluatedModel, EvaluationResult } from "./stages/evaluation.ts";

/** Another evaluation whose guided model is a further row. */
export interface OtherEvaluation {
  readonly key: string;
  readonly label: string;
  readonly description: string;
  readonly result: EvaluationResult;
}

/** Models in the order of the report, each with the evaluation that it comes from. */
export const allModels = (result: EvaluationResult, others: readonly OtherEvaluation[]): EvaluatedModel[] => [
  ...result.models,
  ...others.map(({ key, label, description, result }) => ({ ...guidedOf(result), key, label, description })),
];

const guidedIndex = ({ models }: EvaluationResult): number => models.findIndex(({ key }) => key === "guided");
const guidedOf = (result: EvaluationResult): EvaluatedModel => result.models[guidedIndex(result)]!;

/** The rows with the guided models of the other evaluations as further columns. */
export const allRows = (result: EvaluationResult, others: readonly OtherEvaluation[]): ReportMetric[] =>
  result.metrics.map((row) => {
    if (row.skipped || others.length === 0) return row;
    const found = others.map(({ result: other }) => ({
      index: guidedIndex(other),
      row: other.metrics.find(
        (own) =>
          own.key === row.key && own.featureSpace === row.featureSpace && own.reference === row.reference,
      ),
    }));
    return {
      ...row,
      values: [...row.values, ...found.map(({ row: own, index }) => own?.values[index])],
      ...(row.perPrompt && {
        perPrompt: row.perPrompt.map((list, p) => [
          ...list,
          ...found.map(({ row: own, index }) => own?.perPrompt?.[p]?.[index]),
        ]),
      }),
      ...(row.comparisons && {
        comparisons: [...row.comparisons, ...found.map(({ row: own, index }) => own?.comparisons?.[index])],
      }),
    };
  });

/** One model as the report shows it. */
export function reportModel(
  { key, label, description, evaluation }: EvaluatedModel,
  rows: readonly ReportMetric[],
  index: number,
): ReportModel {
  const row = (name: string) => rows.find((own) => own.key === name && !own.skipped);
  const value = (name: string) => row(name)?.values[index];
  const perPrompt = (name: string) => row(name)?.perPrompt?.map((list) => list[index]);
  const given = <T extends object>(values: T) =>
    Object.fromEntries(Object.entries(values).filter(([, own]) => own !== undefined)) as Partial<T>;
  return {
    ...{ key, label, description },
    ...given({
      bias: value("bias"),
      biasPerPrompt: perPrompt("bias"),
      rawBias: value("biasRaw"),
      rawBiasPerPrompt: perPrompt("biasRaw"),
      correctedBias: value("biasCorrected"),
      correctedBiasPerPrompt: perPrompt("biasCorrected"),
      promptAccuracy: value("promptAccuracy"),
    }),
    ...(evaluation.bias !== null && {
      sharesPerPrompt: sharesOf(Object.values(evaluation.attributeCounts).map((own) => Object.values(own))),
    }),
    ...(evaluation.fid !== null && { fid: { value: evaluation.fid } }),
    ...(evaluation.attributes && {
      furtherBias: Object.entries(evaluation.attributes).flatMap(([attribute, own]) =>
        own.bias === null
          ? []
          : [
              {
                attribute,
                bias: { value: own.bias, ...(own.biasInterval && { interval: own.biasInterval }) },
              },
            ],
      ),
    }),
  };
}

/** Share of each value, by prompt. */
export const sharesOf = (counts: readonly (readonly number[])[]): number[][] =>
  counts.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count) => count / total);
  });

/** A classifier as the report shows it. */
export function reportClassifier(name: string, own: ClassifierEvaluation): ReportClassifier {
  const { accuracy, accuracyInterval, heldOutImages, architecture, values, confusion } = own;
  const { precision, recall, f1, auc } = own;
  const metrics = Object.entries({ precision, recall, f1, auc }).filter(([, value]) => value !== undefined);
  return {
    ...{ name, heldOutImages, accuracy: { value: accuracy, interval: accuracyInterval } },
    ...(architecture !== undefined && { architecture }),
    ...(values && confusion && { confusion: { values, counts: confusion } }),
    ...(metrics.length > 0 && { metrics: Object.fromEntries(metrics) }),
  };
}
