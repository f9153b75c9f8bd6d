// The numbers of one model for programs, out of the table that all models share.
import { attributeCounts, type JudgedAttribute } from "../evaluation/bias-rows.ts";
import type { EvaluationTable } from "../evaluation/evaluate-models.ts";
import type { JudgedModel } from "../evaluation/models.ts";
import type { AttributeEvaluation, Measured, ModelEvaluation, ReportMetric } from "../report/index.ts";

/** Most likely value of the headline attribute, and how sure the classifier is of it, for every image. */
export interface ImagePredictions {
  readonly labels: readonly number[];
  readonly confidence: readonly number[];
}

/** Distances to the reference images, the best that is there first. */
const FID_KEYS = ["fid", "fid:reference", "fid:features"];

/** The row that stands for the FID: of Inception's features, or of those in its place. */
export const fidRow = (rows: readonly ReportMetric[]): ReportMetric | undefined =>
  FID_KEYS.flatMap((key) => rows.find((row) => row.key === key && !row.skipped) ?? [])[0];

/** Numbers of the model at this index. */
export function modelEvaluation(
  { rows, attributes }: EvaluationTable,
  models: readonly JudgedModel[],
  index: number,
  { prompts, imagesPerPrompt }: { prompts: readonly string[]; imagesPerPrompt: number },
): ModelEvaluation {
  const row = (key: string) => rows.find((own) => own.key === key && !own.skipped);
  const of = (key: string): Measured | undefined => row(key)?.values[index];
  const attribute = (judged: JudgedAttribute, key: string): AttributeEvaluation => {
    const counts = attributeCounts(judged, models, prompts.length)[index]!;
    const own = row(key)!;
    const byPrompt = <T>(value: (p: number) => T): Record<string, T> =>
      Object.fromEntries(prompts.map((prompt, p) => [prompt, value(p)]));
    const measured = (p: number) => own.perPrompt![p]![index]!;
    return {
      bias: own.values[index]!.value,
      biasInterval: own.values[index]!.interval!,
      biasPerPrompt: byPrompt((p) => measured(p).value),
      biasPerPromptInterval: byPrompt((p) => measured(p).interval!),
      attributeCounts: byPrompt((p) =>
        Object.fromEntries(judged.judge.values.map((value, v) => [value, counts[p]![v]!])),
      ),
    };
  };
  const [first, ...further] = attributes;
  const accuracy = of("promptAccuracy");
  return {
    ...(first ? attribute(first, "bias") : UNKNOWN),
    ...(further.length > 0 && {
      attributes: Object.fromEntries(
        further.map((judged) => [judged.judge.column, attribute(judged, `bias:${judged.judge.column}`)]),
      ),
    }),
    promptAccuracy: accuracy?.value ?? null,
    promptAccuracyInterval: accuracy?.interval ?? null,
    fid: fidRow(rows)?.values[index]?.value ?? null,
    imagesPerPrompt,
  };
}

const UNKNOWN: AttributeEvaluation = {
  bias: null,
  biasInterval: null,
  biasPerPrompt: {},
  biasPerPromptInterval: {},
  attributeCounts: {},
};

/** What the classifier of the headline attribute says of a model's images; null without one. */
export function imagePredictions({ attributes }: EvaluationTable, index: number): ImagePredictions | null {
  const [first] = attributes;
  if (!first) return null;
  const { classes, probabilities } = first.predictions[index]!;
  const width = first.judge.values.length;
  return {
    labels: [...classes],
    confidence: Array.from(classes, (label, i) => probabilities[i * width + label]!),
  };
}
