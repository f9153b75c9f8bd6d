import { describe, expect, it } from "vitest";
import { modelOf } from "../../../test/evaluation-parts.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { meanEstimate, pairedMeans } from "../../metrics/index.ts";
import { tensor, tensorCount } from "../../torch/index.ts";
import { clipRow, promptAccuracyRow } from "./prompt-rows.ts";

const options = { resamples: 100, seed: 2 };
const PROMPT_OF = [0, 0, 0, 1, 1];
const given = { prompts: 2, options };

describe("promptAccuracyRow", () => {
  it("is the share of hits, by prompt too, with the paired difference", () => {
    const models = [modelOf("base", PROMPT_OF), modelOf("guided", PROMPT_OF)];
    const hits = [
      [1, 0, 0, 1, 0],
      [1, 1, 1, 1, 0],
    ].map((own) => Float64Array.from(own));
    const row = promptAccuracyRow(models, hits, given);
    expect(row).toMatchObject({ key: "promptAccuracy", better: "higher", unit: "share" });
    expect(row.values).toEqual(hits.map((own) => meanEstimate(own, { ...options, strata: [3, 2] })));
    expect(row.values.map((own) => own!.value)).toEqual([0.4, 0.8]);
    expect(row.perPrompt!.map((list) => list.map((own) => own!.value))).toEqual([
      [1 / 3, 1],
      [0.5, 0.5],
    ]);
    expect(row.comparisons).toEqual([
      undefined,
      pairedMeans(hits[0]!, hits[1]!, { ...options, strata: [3, 2] }),
    ]);
    expect(row.comparisons![1]!.difference).toBeCloseTo(0.4, 12);
  });

  it("leaves out what a model has no images of", () => {
    const models = [modelOf("base", PROMPT_OF), modelOf("other", [0, 0])];
    const hits = [Float64Array.of(1, 1, 0, 1, 0), Float64Array.of(0, 1)];
    const row = promptAccuracyRow(models, hits, given);
    expect(row.perPrompt!.map((list) => list.map((own) => own?.value))).toEqual([
      [2 / 3, 0.5],
      [0.5, undefined],
    ]);
    expect(row.comparisons).toEqual([undefined, undefined]);
  });
});

describe("clipRow", () => {
  it("is 100 times the cosine of each image and its own prompt", () => {
    // Prompts along the axes; images at known angles to them, of any length.
    using texts = tensor(Float32Array.of(1, 0, 0, 2), { shape: [2, 2] });
    using images = tensor(Float32Array.of(1, 0, 3, 4, 0, 5, 0, 0.5, 4, 3), { shape: [5, 2] });
    const cosines = [1, 0.6, 0, 1, 0.6];
    const before = settledTensorCount();
    const row = clipRow(
      [modelOf("base", PROMPT_OF)],
      { images: [images], texts, featureSpace: "plane" },
      given,
    );
    expect(tensorCount()).toBe(before);
    expect(row).toMatchObject({ key: "clipT", better: "higher", featureSpace: "plane" });
    expect(row.values[0]!.value).toBeCloseTo((100 * cosines.reduce((a, b) => a + b)) / 5, 4);
    expect(row.perPrompt![0]![0]!.value).toBeCloseTo(160 / 3, 4);
    expect(row.perPrompt![1]![0]!.value).toBeCloseTo(80, 4);
    const [low, high] = row.values[0]!.interval!;
    expect(low).toBeLessThan(64);
    expect(high).toBeGreaterThan(64);
  });
});
