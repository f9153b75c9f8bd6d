// Pictures for the report: samples and training images as PNG bytes with words for those who do not see them.
import { readFileSync } from "node:fs";

import type { ImageGrid, ReportImage, ReportSamples } from "./report/index.ts";
import type { EvaluationResult } from "./stages/evaluation.ts";
import type { ImagePredictions } from "./stages/model-evaluation.ts";
import { sampleFile, type SamplesSummary } from "./stages/samples.ts";

/** Samples shown of each model and prompt: the first seeds, not picked by hand. */
const SHOWN = 16;
const EXTREMES = 8;

export interface SampledModel {
  readonly label: string;
  /** Folder of the samples stage. */
  readonly dir: string;
  readonly predicted: ImagePredictions | undefined;
}

type Attribute = EvaluationResult["attribute"];

function picture(
  model: SampledModel,
  summary: SamplesSummary,
  index: number,
  attribute: Attribute,
): ReportImage {
  const { prompts, perPrompt } = summary;
  const prompt = Math.floor(index / perPrompt);
  const number = index % perPrompt;
  const tag = model.predicted && attribute ? attribute.values[model.predicted.labels[index]!] : undefined;
  const seen = tag ? `, ${attribute!.name}: ${tag}` : "";
  return {
    bytes: readFileSync(sampleFile(model.dir, summary, index)),
    alt: `${model.label}, ${prompts[prompt]}, sample ${number + 1}${seen}`,
    ...(tag ? { tag } : {}),
  };
}

/** The same seeds side by side, by prompt. */
export function sampleGrids(
  models: readonly SampledModel[],
  summary: SamplesSummary,
  attribute: Attribute,
): ReportSamples[] {
  const count = Math.min(SHOWN, summary.perPrompt);
  return summary.prompts.map((prompt, p) => ({
    prompt,
    grids: models.map((model) => ({
      label: model.label,
      images: Array.from({ length: count }, (_, i) =>
        picture(model, summary, p * summary.perPrompt + i, attribute),
      ),
    })),
  }));
}

/** For each prompt, the images that show the value rarest in the base's samples most and least clearly. */
export function extremeGrids(
  models: readonly SampledModel[],
  summary: SamplesSummary,
  { attribute, base }: Pick<EvaluationResult, "attribute" | "base">,
): { title: string; note: string; grids: ImageGrid[] }[] {
  if (!attribute || models.some((model) => !model.predicted)) return [];
  return summary.prompts.flatMap((prompt, p) => {
    const counts = attribute.values.map((value) => base.attributeCounts[prompt]![value]!);
    const rare = counts.indexOf(Math.min(...counts));
    const ranked = models.map((model) => {
      const { labels, confidence } = model.predicted!;
      const sure = (i: number) => (labels[i] === rare ? confidence[i]! : 1 - confidence[i]!);
      const own = Array.from({ length: summary.perPrompt }, (_, i) => p * summary.perPrompt + i);
      return { model, order: own.sort((a, b) => sure(b) - sure(a)) };
    });
    const grids = (pick: (order: number[]) => number[]): ImageGrid[] =>
      ranked.map(({ model, order }) => ({
        label: model.label,
        images: pick(order).map((index) => picture(model, summary, index, attribute)),
      }));
    const value = attribute.values[rare]!;
    return [
      {
        title: `Best: “${prompt}” with ${value}`,
        note: `The samples in which the classifier is most certain of “${value}”, the value that the base shows least.`,
        grids: grids((order) => order.slice(0, EXTREMES)),
      },
      {
        title: `Worst: “${prompt}” without ${value}`,
        note: `The samples in which the classifier is least certain of “${value}”.`,
        grids: grids((order) => order.slice(-EXTREMES).reverse()),
      },
    ];
  });
}
