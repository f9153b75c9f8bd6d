import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { Generator, linalgSvd, randn, scope, type Tensor, tensor, tensorCount } from "../torch/index.ts";
import { kernelDistance, kernelDistanceOfSubsets, kernelEstimate } from "./kid.ts";

const normal = (rows: number, columns: number, seed = 0) =>
  randn([rows, columns], { generator: new Generator().manualSeed(seed), dtype: "float64" });

/** By the definition, one pair after the other. */
function byDefinition(x: number[][], y: number[][]): number {
  const kernel = (a: number[], b: number[]) =>
    (a.reduce((sum, own, k) => sum + own * b[k]!, 0) / a.length + 1) ** 3;
  const mean = (a: number[][], b: number[][], same: boolean) => {
    let [sum, pairs] = [0, 0];
    a.forEach((p, i) =>
      b.forEach((q, j) => {
        if (same && i === j) return;
        sum += kernel(p, q);
        pairs++;
      }),
    );
    return sum / pairs;
  };
  return mean(x, x, true) + mean(y, y, true) - 2 * mean(x, y, false);
}

const rowsOf = (x: Tensor) => {
  const [rows, columns] = x.shape as [number, number];
  const flat = x.toNumbers();
  return Array.from({ length: rows }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
};

describe("kernelDistance", () => {
  it("is the definition, over several blocks too", () => {
    scope(() => {
      for (const [n, m] of [
        [2, 2],
        [7, 5],
        [600, 530],
      ] as const) {
        const [x, y] = [normal(n, 2), normal(m, 2, 1).add(0.3)];
        expect(kernelDistance(x, y)).toBeCloseTo(byDefinition(rowsOf(x), rowsOf(y)), 9);
      }
    });
  });

  it("is symmetric and the same for permuted or rotated features", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 20 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 0, max: 1000 }),
        (n, d, seed) =>
          scope(() => {
            const [x, y] = [normal(n, d, seed), normal(n + 3, d, seed + 1).add(0.5)];
            const distance = kernelDistance(x, y);
            const near = (other: number) => Math.abs(other - distance) <= 1e-9 * (1 + Math.abs(distance));
            expect(near(kernelDistance(y, x))).toBe(true);
            expect(near(kernelDistance(x.flip([0]), y))).toBe(true);
            const [rotation] = linalgSvd(normal(d, d, seed + 2));
            expect(near(kernelDistance(x.matmul(rotation), y.matmul(rotation)))).toBe(true);
          }),
      ),
      { seed: 3, numRuns: 40 },
    );
  });

  it("is unbiased: about 0 on average for few images of one distribution", () => {
    scope(() => {
      const distances = Array.from({ length: 400 }, (_, i) =>
        kernelDistance(normal(6, 3, 2 * i), normal(6, 3, 2 * i + 1)),
      );
      const mean = distances.reduce((sum, x) => sum + x, 0) / 400;
      const deviation = Math.sqrt(distances.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 400);
      expect(Math.abs(mean)).toBeLessThan((3 * deviation) / 20);
      expect(distances.filter((x) => x < 0).length).toBeGreaterThan(100);
    });
  });
});

describe("kernelEstimate", () => {
  it("surrounds its value: a resample's copies of an image are no pairs", () => {
    scope(() => {
      // Few images of many dimensions, whose own kernels are far larger than those of pairs.
      const [x, y] = [normal(60, 50), normal(20, 50, 1).mul(3)];
      const { value, interval } = kernelEstimate(x, y);
      expect(value).toBeCloseTo(kernelDistance(x, y), 12);
      expect(interval[0]).toBeLessThan(value);
      expect(interval[1]).toBeGreaterThan(value);
    });
  });

  it("covers the true distance in about 95 % of the cases", () => {
    scope(() => {
      const [m, d, sets] = [50, 4, 150];
      const x = normal(300, d);
      const estimates = Array.from({ length: sets }, (_, i) =>
        kernelEstimate(
          x,
          normal(m, d, 100 + i)
            .mul(1.3)
            .add(0.5),
          { resamples: 200 },
        ),
      );
      // The unbiased estimator's expectation is the distance of all these images together.
      const expected = estimates.reduce((sum, { value }) => sum + value / sets, 0);
      const covered = estimates.filter(({ interval: [low, high] }) => low <= expected && expected <= high);
      expect(covered.length / sets).toBeGreaterThan(0.88);
      expect(covered.length / sets).toBeLessThan(0.99);
    });
  });

  it("has the influence of each image: that of leaving it out", () => {
    scope(() => {
      const [x, y] = [normal(40, 3), normal(30, 3, 1).add(1)];
      const { value, influence } = kernelEstimate(x, y, { resamples: 5 });
      const without = (image: number) =>
        kernelDistance(
          x,
          y.indexSelect(0, tensor(Int32Array.from({ length: 29 }, (_, i) => i + +(i >= image)))),
        );
      for (const image of [0, 11, 29]) {
        // A U-statistic of order 2: exact but for the factor (m - 2) / (m - 1) of the pairs.
        const jackknife = 29 * (value - without(image));
        expect(Math.abs(jackknife - influence[image]!)).toBeLessThan(
          0.1 * Math.abs(influence[image]!) + 0.05,
        );
      }
      expect(influence.reduce((sum, own) => sum + own, 0)).toBeCloseTo(0, 9);
    });
  });

  it("leaves no tensor behind", () => {
    const x = normal(20, 4);
    const before = settledTensorCount();
    kernelDistance(x, x);
    kernelEstimate(x, x, { resamples: 10 });
    kernelDistanceOfSubsets(x, x, { subsets: 3 });
    expect(tensorCount()).toBe(before);
    x.dispose();
  });
});

describe("kernelDistanceOfSubsets", () => {
  it("is the mean of the distances of random subsets", () => {
    scope(() => {
      const [x, y] = [normal(80, 3), normal(70, 3, 1).add(0.5)];
      const { mean, std } = kernelDistanceOfSubsets(x, y, { subsets: 400, subsetSize: 20 });
      const whole = kernelDistance(x, y);
      expect(Math.abs(mean - whole)).toBeLessThan((4 * std) / 20);
      expect(kernelDistanceOfSubsets(x, y, { subsets: 3, seed: 1 })).toEqual(
        kernelDistanceOfSubsets(x, y, { subsets: 3, seed: 1 }),
      );
      // Subsets as large as the sets are the sets.
      const all = kernelDistanceOfSubsets(x.slice(0, 0, 70), y, { subsets: 2 });
      expect(all.mean).toBeCloseTo(kernelDistance(x.slice(0, 0, 70), y), 10);
      expect(all.std).toBeLessThan(1e-10);
    });
  });
});
