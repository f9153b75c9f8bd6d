// Distances and coverage against direct calls of src/metrics.
import { describe, expect, it } from "vitest";
import { modelOf } from "../../../test/evaluation-parts.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import {
  frechetDistance,
  frechetEstimate,
  improvedPrecisionRecall,
  kernelDistance,
  kernelEstimate,
  pairedInfluence,
  pairedMeans,
  precisionRecallEstimate,
} from "../../metrics/index.ts";
import { Generator, keep, randn, scope, type Tensor, tensorCount } from "../../torch/index.ts";
import { coverageRows, type DistributionOptions, distanceRows } from "./distribution-rows.ts";

const options = { resamples: 100, seed: 3 };
const PROMPT_OF = Array.from({ length: 24 }, (_, i) => +(i >= 12));
const strata = [12, 12];
const given: DistributionOptions = { prompts: 2, featureSpace: "noise", reference: "30 images", options };
const normal = (rows: number, seed: number, shift = 0): Tensor =>
  keep(scope(() => randn([rows, 4], { generator: new Generator().manualSeed(seed) }).add(shift)));

describe("distanceRows", () => {
  it("gives FID and KID of each model, and differences of the pairs alone", async () => {
    using real = normal(30, 1);
    using base = normal(24, 2, 1);
    using guided = normal(24, 3, 0.2);
    using few = normal(10, 4);
    const before = settledTensorCount();
    const models = [
      modelOf("base", PROMPT_OF),
      modelOf("guided", PROMPT_OF),
      modelOf("few", PROMPT_OF.slice(0, 10)),
    ];
    const features = [base, guided, few];
    const { rows, cautions } = await distanceRows(models, real, features, { ...given, kind: "clean" });
    expect(tensorCount()).toBe(before);
    expect(cautions).toEqual([]);
    const [fid, kid] = rows;
    expect(rows.map(({ key }) => key)).toEqual(["fid", "kid"]);
    features.forEach((own, m) => {
      expect(fid!.values[m]!.value).toBeCloseTo(frechetDistance(real, own), 9);
      expect(kid!.values[m]!.value).toBeCloseTo(kernelDistance(real, own), 9);
    });
    const direct = [base, guided].map((own) => frechetEstimate(real, own, { ...options, strata }));
    expect(fid!.values[1]).toEqual({ value: direct[1]!.value, interval: direct[1]!.interval });
    const compared = pairedInfluence(direct[0]!, direct[1]!, { ...options, strata });
    expect(fid!.comparisons).toEqual([undefined, compared, undefined]);
    expect(compared.difference).toBeCloseTo(direct[1]!.value - direct[0]!.value, 9);
    const kernels = [base, guided].map((own) => kernelEstimate(real, own, { ...options, strata }));
    expect(kid!.comparisons).toEqual([
      undefined,
      pairedInfluence(kernels[0]!, kernels[1]!, { ...options, strata }),
      undefined,
    ]);
    expect(fid).toMatchObject({ better: "lower", featureSpace: "noise", reference: "30 images" });
    // Nothing but what a table needs, so that it can be written as JSON.
    for (const value of fid!.values) expect(Object.keys(value!).sort()).toEqual(["interval", "value"]);
  });

  it("sees no difference between a model and itself", async () => {
    using real = normal(30, 1);
    using own = normal(24, 2, 1);
    const models = [modelOf("base", PROMPT_OF), modelOf("copy", PROMPT_OF)];
    for (const row of (await distanceRows(models, real, [own, own], { ...given, kind: "clean" })).rows)
      expect(row.comparisons![1]).toEqual({ difference: 0, interval: [0, 0], pValue: 1 });
  });

  it("names each kind of distance differently", async () => {
    using real = normal(30, 1);
    using own = normal(24, 2);
    const keys: string[][] = [];
    for (const kind of ["clean", "reference", "features"] as const) {
      const { rows } = await distanceRows([modelOf("a", PROMPT_OF)], real, [own], { ...given, kind });
      keys.push(rows.map(({ key, label }) => `${key}: ${label}`));
    }
    expect(keys).toEqual([
      ["fid: FID (clean)", "kid: KID"],
      ["fid:reference: FID (the reference's 255 pixels)", "kid:reference: KID (255 pixels)"],
      ["fid:features: Fréchet distance", "kid:features: Kernel distance"],
    ]);
  });

  it("warns of fewer images than dimensions, generated or real", async () => {
    using many = normal(40, 1);
    using few = normal(4, 2);
    const warned = async (real: Tensor, fake: Tensor) => {
      const model = modelOf("a", new Array<number>(fake.shape[0]!).fill(0));
      return (await distanceRows([model], real, [fake], { ...given, kind: "clean" })).cautions.join();
    };
    expect(await warned(many, many)).toBe("");
    for (const text of [await warned(many, few), await warned(few, many)])
      expect(text).toMatch(/^FID: 4 images give a singular covariance in 4 dimensions/);
  });

  it("says what it is at, and stops when it is told to", async () => {
    using real = normal(30, 1);
    using own = normal(24, 2);
    const models = [modelOf("a", PROMPT_OF), modelOf("b", PROMPT_OF)];
    const controller = new AbortController();
    const told: string[] = [];
    const progress = ({ task, done, total }: { task: string; done: number; total: number }) => {
      told.push(`${task} ${done}/${total}`);
      if (told.length === 2) controller.abort(new Error("enough"));
    };
    const context = { ...given, signal: controller.signal, progress };
    const run = distanceRows(models, real, [own, own], { ...context, kind: "clean" });
    await expect(run).rejects.toThrow("enough");
    expect(told).toEqual([0, 1].map((m) => `Fréchet distance of The ${"ab"[m]} one ${m}/2`));
  });

  it("has finite intervals for the fewest images it takes", async () => {
    using real = normal(3, 1);
    using own = normal(3, 2);
    const { rows } = await distanceRows([modelOf("a", [0, 0, 0])], real, [own], {
      ...given,
      kind: "features",
    });
    const numbers = rows.flatMap(({ values }) => [values[0]!.value, ...values[0]!.interval!]);
    expect(numbers).toHaveLength(6);
    expect(numbers.every(Number.isFinite)).toBe(true);
  });
});

describe("coverageRows", () => {
  const more = { neighbours: 3, densityNeighbours: 5, suffix: "" };

  it("gives precision, recall, density and coverage, and differences of the pairs", async () => {
    using real = normal(30, 1);
    using base = normal(24, 2, 2);
    using guided = normal(24, 3);
    const before = settledTensorCount();
    const models = [modelOf("base", PROMPT_OF), modelOf("guided", PROMPT_OF)];
    const rows = await coverageRows(models, real, [base, guided], { ...given, ...more });
    expect(tensorCount()).toBe(before);
    expect(rows.map(({ key }) => key)).toEqual(["precision", "recall", "density", "coverage"]);
    const direct = [base, guided].map((own) =>
      precisionRecallEstimate(real, own, { neighbours: 3, densityNeighbours: 5, ...options, strata }),
    );
    for (const row of rows) {
      const key = row.key as "precision" | "recall" | "density" | "coverage";
      const values = direct.map((own) => ({ value: own[key].value, interval: own[key].interval }));
      expect(row.values).toEqual(values);
      expect(row.comparisons![1]!.difference).toBeCloseTo(values[1]!.value - values[0]!.value, 12);
      expect(row.comparisons![0]).toBeUndefined();
      expect(row.better).toBe("higher");
    }
    const { precision, recall } = improvedPrecisionRecall(real, guided, { neighbours: 3 });
    expect(rows[0]!.values[1]!.value).toBe(precision);
    expect(rows[1]!.values[1]!.value).toBe(recall);
    const perImage = direct.map((own) => own.perImage.precision);
    expect(rows[0]!.comparisons![1]).toEqual(pairedMeans(perImage[0]!, perImage[1]!, { ...options, strata }));
  });

  it("adds the suffix to the keys, and compares no strangers", async () => {
    using real = normal(30, 1);
    using own = normal(24, 2);
    using few = normal(9, 2);
    const models = [modelOf("base", PROMPT_OF), modelOf("few", PROMPT_OF.slice(0, 9))];
    const rows = await coverageRows(models, real, [own, few], { ...given, ...more, suffix: ":features" });
    expect(rows.map(({ key }) => key.endsWith(":features"))).toEqual([true, true, true, true]);
    for (const { comparisons } of rows) expect(comparisons).toEqual([undefined, undefined]);
  });
});
