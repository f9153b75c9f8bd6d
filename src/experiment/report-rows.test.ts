import { describe, expect, it } from "vitest";
import type { ReportMetric } from "./report/index.ts";
import { allModels, allRows, type OtherEvaluation, reportModel } from "./report-rows.ts";
import type { EvaluatedModel, EvaluationResult } from "./stages/evaluation.ts";

const evaluated = (key: string): EvaluatedModel => ({
  ...{ key, label: `the ${key}`, description: "", stage: key, predicted: null },
  evaluation: {
    ...{ bias: 0.5, biasInterval: [0, 1], biasPerPrompt: {}, biasPerPromptInterval: {} },
    attributeCounts: { one: { water: 3, land: 1 }, two: { water: 2, land: 2 } },
    attributes: {
      pose: {
        ...{ bias: 0.25, biasInterval: [0.1, 0.3], biasPerPrompt: {}, biasPerPromptInterval: {} },
        attributeCounts: {},
      },
    },
    ...{ promptAccuracy: null, promptAccuracyInterval: null, fid: 7, imagesPerPrompt: 4 },
  },
});
const row = (key: string, numbers: number[], more: Partial<ReportMetric> = {}): ReportMetric => ({
  ...{ key, label: key, what: "" },
  values: numbers.map((value) => ({ value })),
  ...more,
});
/** Only what the report's rows are made of. */
const resultOf = (keys: readonly string[], metrics: readonly ReportMetric[]) =>
  ({ models: keys.map(evaluated), metrics }) as unknown as EvaluationResult;
const other = (key: string, result: EvaluationResult): OtherEvaluation => ({
  ...{ key, label: `other ${key}`, description: "found otherwise", result },
});

describe("allRows and allModels", () => {
  const own = resultOf(
    ["base", "guided"],
    [
      row("bias", [0.8, 0.3], {
        perPrompt: [[{ value: 0.9 }, { value: 0.4 }]],
        comparisons: [undefined, { difference: -0.5 }],
      }),
      row("fid:features", [5, 6], { featureSpace: "64 numbers", reference: "r" }),
      row("fid", [], { skipped: { reason: "missing" } }),
    ],
  );
  // Its models are in another order, and it looked at other features.
  const oracle = resultOf(
    ["base", "further", "guided"],
    [
      row("bias", [0.8, 9, 0.1], {
        perPrompt: [[{ value: 0.9 }, undefined, { value: 0.2 }]],
        comparisons: [undefined, undefined, { difference: -0.7 }],
      }),
      row("fid:features", [1, 2, 3], { featureSpace: "128 numbers", reference: "r" }),
    ],
  );

  it("add the guided model of each other evaluation, where it measured the same", () => {
    const others = [other("oracle", oracle)];
    expect(allModels(own, others).map(({ key, label }) => [key, label])).toEqual([
      ["base", "the base"],
      ["guided", "the guided"],
      ["oracle", "other oracle"],
    ]);
    const [bias, fid, missing] = allRows(own, others);
    expect(bias!.values.map((value) => value?.value)).toEqual([0.8, 0.3, 0.1]);
    expect(bias!.perPrompt![0]!.map((value) => value?.value)).toEqual([0.9, 0.4, 0.2]);
    expect(bias!.comparisons!.map((value) => value?.difference)).toEqual([undefined, -0.5, -0.7]);
    // Distances in different feature spaces are no numbers to compare.
    expect(fid!.values.map((value) => value?.value)).toEqual([5, 6, undefined]);
    expect(missing).toEqual(own.metrics[2]);
    expect(allRows(own, [])).toEqual(own.metrics);
  });

  it("make a model of its column of the rows", () => {
    const rows = allRows(own, [other("oracle", oracle)]);
    const model = reportModel(allModels(own, [other("oracle", oracle)])[2]!, rows, 2);
    expect(model).toEqual({
      ...{ key: "oracle", label: "other oracle", description: "found otherwise" },
      ...{ bias: { value: 0.1 }, biasPerPrompt: [{ value: 0.2 }], fid: { value: 7 } },
      sharesPerPrompt: [
        [0.75, 0.25],
        [0.5, 0.5],
      ],
      furtherBias: [{ attribute: "pose", bias: { value: 0.25, interval: [0.1, 0.3] } }],
    });
  });
});
