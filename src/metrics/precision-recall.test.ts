import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { Generator, linalgSvd, randn, scope, type Tensor, tensor, tensorCount } from "../torch/index.ts";
import { densityCoverage } from "./density-coverage.ts";
import { improvedPrecisionRecall } from "./precision-recall.ts";
import { precisionRecallEstimate } from "./precision-recall-estimate.ts";

const normal = (rows: number, columns: number, seed = 0) =>
  randn([rows, columns], { generator: new Generator().manualSeed(seed), dtype: "float64" });

const onLine = (...at: number[]) => tensor(Float64Array.from(at), { shape: [at.length, 1] });

/** All four from their definitions, one pair after the other. */
function byDefinition(x: Tensor, y: Tensor, k: number) {
  const rows = (features: Tensor) => {
    const [count, width] = features.shape as [number, number];
    const flat = features.toNumbers();
    return Array.from({ length: count }, (_, i) => flat.slice(i * width, (i + 1) * width));
  };
  const distance = (a: number[], b: number[]) => Math.hypot(...a.map((own, i) => own - b[i]!));
  const [real, fake] = [rows(x), rows(y)];
  const radius = (set: number[][]) =>
    set.map((a) => set.map((b) => distance(a, b)).sort((p, q) => p - q)[k]!);
  const [ofReal, ofFake] = [radius(real), radius(fake)];
  const share = (hits: boolean[]) => hits.filter(Boolean).length / hits.length;
  return {
    precision: share(fake.map((f) => real.some((r, i) => distance(r, f) < ofReal[i]!))),
    recall: share(real.map((r) => fake.some((f, j) => distance(r, f) < ofFake[j]!))),
    density:
      fake.reduce((sum, f) => sum + real.filter((r, i) => distance(r, f) < ofReal[i]!).length, 0) /
      (k * fake.length),
    coverage: share(real.map((r, i) => fake.some((f) => distance(r, f) < ofReal[i]!))),
  };
}

type All = Record<"precision" | "recall" | "density" | "coverage", number>;

/** Equal but for the rounding of sums. */
function expectEqual(found: All, expected: All): void {
  for (const name of ["precision", "recall", "density", "coverage"] as const)
    expect(found[name], name).toBeCloseTo(expected[name], 12);
}

describe("precision, recall, density, coverage", () => {
  it("have the values by hand on a line", () => {
    // Real balls (k = 1): (-1, 1), (0, 2), (9, 11), (10, 12). Fake balls: (-1.5, 2.5), (0.5, 4.5), (29.5, 30.5), (30, 31).
    const real = onLine(0, 1, 10, 11);
    const fake = onLine(0.5, 2.5, 30, 30.5);
    expect(improvedPrecisionRecall(real, fake, { neighbours: 1 })).toEqual({
      precision: 1 / 4,
      recall: 2 / 4,
    });
    expect(densityCoverage(real, fake, { neighbours: 1 })).toEqual({ density: 2 / 4, coverage: 2 / 4 });
  });

  it("one far fake image makes recall of it, but no density or coverage", () => {
    const real = onLine(0, 1, 2, 3, 4);
    const fake = onLine(100, 100.5, -300);
    expect(improvedPrecisionRecall(real, fake, { neighbours: 1 })).toEqual({ precision: 0, recall: 1 });
    expect(densityCoverage(real, fake, { neighbours: 1 })).toEqual({ density: 0, coverage: 0 });
  });

  it("are all 1 for equal sets whose distances are all different", () => {
    scope(() => {
      const x = normal(50, 3);
      expect(improvedPrecisionRecall(x, x)).toEqual({ precision: 1, recall: 1 });
      const { density, coverage } = densityCoverage(x, x, { neighbours: 5 });
      expect(coverage).toBe(1);
      // Each ball holds its centre and k - 1 more; rounding decides whether the k-th lies inside.
      expect(density).toBeGreaterThan(0.99);
      expect(density).toBeLessThan(1.21);
    });
  });

  it("are the definitions over several blocks, in ranges, and the same for permuted or rotated features", () => {
    fc.assert(
      fc.property(
        fc.record({
          n: fc.integer({ min: 7, max: 40 }),
          m: fc.integer({ min: 7, max: 40 }),
          d: fc.integer({ min: 1, max: 6 }),
          k: fc.integer({ min: 1, max: 5 }),
          seed: fc.integer({ min: 0, max: 1000 }),
        }),
        ({ n, m, d, k, seed }) =>
          scope(() => {
            const [x, y] = [
              normal(n, d, seed),
              normal(m, d, seed + 1)
                .mul(0.8)
                .add(0.3),
            ];
            const options = { neighbours: k, densityNeighbours: k, resamples: 50 };
            const found = { ...improvedPrecisionRecall(x, y, options), ...densityCoverage(x, y, options) };
            expectEqual(found, byDefinition(x, y, k));
            const [rotation] = linalgSvd(normal(d, d, seed + 2));
            const moved = [x.flip([0]).matmul(rotation).add(5), y.flip([0]).matmul(rotation).add(5)] as const;
            const ofMoved = {
              ...improvedPrecisionRecall(...moved, options),
              ...densityCoverage(...moved, options),
            };
            expectEqual(ofMoved, found);
            const estimate = precisionRecallEstimate(x, y, options);
            for (const name of ["precision", "recall", "density", "coverage"] as const) {
              const { value, interval } = estimate[name];
              expect(value).toBeCloseTo(found[name], 12);
              expect(interval[0]).toBeLessThanOrEqual(interval[1]);
              expect(interval[0]).toBeGreaterThanOrEqual(0);
              if (name !== "density") expect(interval[1]).toBeLessThanOrEqual(1);
            }
          }),
      ),
      { seed: 4, numRuns: 30 },
    );
    scope(() => {
      const [x, y] = [normal(1030, 2), normal(700, 2, 1).mul(0.5)];
      const found = {
        ...improvedPrecisionRecall(x, y, { neighbours: 3 }),
        ...densityCoverage(x, y, { neighbours: 3 }),
      };
      expectEqual(found, byDefinition(x, y, 3));
    });
  });

  it("grow with k", () => {
    scope(() => {
      const [x, y] = [normal(80, 4), normal(80, 4, 1).add(1)];
      const at = (neighbours: number) => {
        const { precision, recall } = improvedPrecisionRecall(x, y, { neighbours });
        return [precision, recall, densityCoverage(x, y, { neighbours }).coverage];
      };
      const series = [1, 2, 4, 8, 16].map(at);
      for (const [i, values] of series.entries())
        values.forEach((value, j) => expect(value).toBeGreaterThanOrEqual(series[i - 1]?.[j] ?? 0));
    });
  });

  it("refuse more neighbours than images, and leave no tensor behind", () => {
    const x = normal(10, 4);
    const before = settledTensorCount();
    improvedPrecisionRecall(x, x);
    densityCoverage(x, x);
    precisionRecallEstimate(x, x, { resamples: 5 });
    expect(tensorCount()).toBe(before);
    expect(() => improvedPrecisionRecall(x, x, { neighbours: 10 })).toThrow("10 neighbours among 10 images");
    expect(() => densityCoverage(x, x, { neighbours: 0.5 })).toThrow("0.5 neighbours");
    expect(() => precisionRecallEstimate(x, x.slice(0, 0, 6))).not.toThrow();
    expect(() => precisionRecallEstimate(x, x.slice(0, 0, 4), { densityNeighbours: 3 })).toThrow(
      "more images or fewer neighbours",
    );
    x.dispose();
  });
});

describe("precisionRecallEstimate", () => {
  const estimate = (x: Tensor, seed: number, resamples: number) =>
    precisionRecallEstimate(
      x,
      normal(150, 6, 1000 + seed)
        .mul(0.9)
        .add(0.2),
      { resamples },
    );

  it("gives what each image adds", () => {
    scope(() => {
      const { perImage, ...all } = estimate(normal(120, 6), 0, 5);
      const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
      for (const name of ["precision", "recall", "density", "coverage"] as const)
        expect(mean(perImage[name])).toBeCloseTo(all[name].value, 12);
      expect([perImage.precision.length, perImage.density.length]).toEqual([150, 150]);
      expect([perImage.recall.length, perImage.coverage.length]).toEqual([120, 120]);
    });
  });

  it("has intervals about as wide as fresh images of the same model vary", () => {
    scope(() => {
      const x = normal(150, 6);
      const many = Array.from({ length: 120 }, (_, i) => estimate(x, i, 1));
      const few = Array.from({ length: 6 }, (_, i) => estimate(x, i, 300));
      for (const name of ["precision", "recall", "density", "coverage"] as const) {
        const values = many.map((own) => own[name].value);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 120);
        const width = few.reduce((sum, { [name]: { interval } }) => sum + (interval[1] - interval[0]) / 6, 0);
        const ratio = width / (2 * 1.96 * deviation);
        expect(ratio, name).toBeGreaterThan(0.75);
        expect(ratio, name).toBeLessThan(name === "coverage" ? 1.9 : 1.35);
      }
    });
  });

  it("is the same for a seed and another for another", () => {
    scope(() => {
      const [x, y] = [normal(60, 3), normal(50, 3, 1)];
      const at = (seed: number) => precisionRecallEstimate(x, y, { seed, resamples: 100, strata: [20, 30] });
      expect(at(1)).toEqual(at(1));
      expect(at(1).recall.deviations).not.toEqual(at(2).recall.deviations);
    });
  });
});
