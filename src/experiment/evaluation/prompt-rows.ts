// Whether the images show what was asked for: by the classifier of the subject, and by CLIP.
import { clipScores, meanEstimate, pairedMeans, type BootstrapOptions } from "../../metrics/index.ts";
import { scope, type Tensor } from "../../torch/index.ts";
import type { ReportMetric } from "../report/index.ts";
import { rowsOf } from "./image-set.ts";
import { comparisonsWithBase, type JudgedModel, strataOf } from "./models.ts";

/** A row of the mean of one number per image: [model][image]. */
function meanRow(
  row: Omit<ReportMetric, "values" | "perPrompt" | "comparisons">,
  models: readonly JudgedModel[],
  numbers: readonly Float64Array[],
  { prompts, options }: { prompts: number; options: BootstrapOptions },
): ReportMetric {
  const strata = (m: number) => strataOf(models[m]!, prompts);
  const ofPrompt = (m: number, p: number) => numbers[m]!.filter((_, i) => models[m]!.promptOf[i] === p);
  return {
    ...row,
    values: numbers.map((own, m) => meanEstimate(own, { ...options, strata: strata(m) })),
    perPrompt: Array.from({ length: prompts }, (_, p) =>
      models.map((_, m) => {
        const own = ofPrompt(m, p);
        return own.length > 0 ? meanEstimate(own, options) : undefined;
      }),
    ),
    comparisons: comparisonsWithBase(models, (base, model) =>
      pairedMeans(numbers[base]!, numbers[model]!, { ...options, strata: strata(model) }),
    ),
  };
}

/** Share of the images whose predicted subject is the prompt's: [model][image], 1 or 0. */
export const promptAccuracyRow = (
  models: readonly JudgedModel[],
  hits: readonly Float64Array[],
  options: { prompts: number; options: BootstrapOptions },
): ReportMetric =>
  meanRow(
    {
      ...{ key: "promptAccuracy", label: "Prompt accuracy", better: "higher", unit: "share", digits: 1 },
      what: "Share of the images that show what the prompt names, as the classifier sees them.",
    },
    models,
    hits,
    options,
  );

/**
 * CLIP-T: 100 times the cosine of image and prompt. `images` of each model, [N, D]; `texts` of the prompts, [prompts, D].
 */
export function clipRow(
  models: readonly JudgedModel[],
  { images, texts, featureSpace }: { images: readonly Tensor[]; texts: Tensor; featureSpace: string },
  options: { prompts: number; options: BootstrapOptions },
): ReportMetric {
  const scores = images.map((own, m) => {
    using asked = rowsOf(texts, [...models[m]!.promptOf]);
    return scope(() => Float64Array.from(clipScores(own, asked).toArray() as Float32Array));
  });
  return meanRow(
    {
      ...{ key: "clipT", label: "CLIP-T", better: "higher", digits: 2, featureSpace },
      what: "How well the images fit their prompts, as CLIP sees it (100 times the cosine).",
    },
    models,
    scores,
    options,
  );
}
