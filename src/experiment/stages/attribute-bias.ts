// The Bias of generated images in one hidden attribute, prompt by prompt.
import { biasEstimate, type BootstrapOptions, countLabels } from "../../metrics/index.ts";
import type { AttributeEvaluation } from "../report/index.ts";

interface PredictedAttribute {
  readonly prompts: readonly string[];
  readonly perPrompt: number;
  readonly values: readonly string[];
  /** Predicted value of each image, prompt after prompt. */
  readonly classes: ArrayLike<number>;
}

/** Bias of predicted values; all `null` and empty without predictions. */
export function attributeBias(
  predicted: PredictedAttribute | undefined,
  options: BootstrapOptions,
): AttributeEvaluation {
  if (!predicted)
    return {
      bias: null,
      biasInterval: null,
      biasPerPrompt: {},
      biasPerPromptInterval: {},
      attributeCounts: {},
    };
  const { prompts, perPrompt, values, classes } = predicted;
  const all = Array.from(classes);
  const counts = prompts.map((_, p) =>
    countLabels(all.slice(p * perPrompt, (p + 1) * perPrompt), values.length),
  );
  const { overall, perPrompt: own } = biasEstimate(counts, options);
  const byPrompt = <T>(value: (index: number) => T): Record<string, T> =>
    Object.fromEntries(prompts.map((prompt, p) => [prompt, value(p)]));
  return {
    bias: overall.value,
    biasInterval: overall.interval,
    biasPerPrompt: byPrompt((p) => own[p]!.value),
    biasPerPromptInterval: byPrompt((p) => own[p]!.interval),
    attributeCounts: byPrompt((p) => Object.fromEntries(values.map((value, v) => [value, counts[p]![v]!]))),
  };
}
