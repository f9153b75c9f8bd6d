import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import {
  Generator,
  linalgSvd,
  randn,
  scope,
  type Tensor,
  tensor,
  tensorCount,
  zeros,
} from "../torch/index.ts";
import { fastRandom } from "./fast-random.ts";
import { frechetDistance } from "./fid.ts";
import { frechetEstimate } from "./fid-estimate.ts";
import { featureMoments, type FeatureMoments } from "./moments.ts";

const normal = (rows: number, columns: number, seed = 0) =>
  randn([rows, columns], { generator: new Generator().manualSeed(seed), dtype: "float64" });

const given = (mean: number[], covariance: number[][]): FeatureMoments => ({
  count: 1000,
  mean: tensor(Float64Array.from(mean)),
  covariance: tensor(Float64Array.from(covariance.flat()), { shape: [mean.length, mean.length] }),
  [Symbol.dispose]: () => undefined,
});

describe("frechetDistance", () => {
  it("has the closed form of diagonal covariances", () => {
    const a = given([0, 0], [[4, 0], [0, 9]]); // prettier-ignore
    const b = given([1, 2], [[1, 0], [0, 25]]); // prettier-ignore
    expect(frechetDistance(a, b)).toBeCloseTo(1 + 4 + (2 - 1) ** 2 + (3 - 5) ** 2, 12);
    // Singular, and not commuting: tr (S1 S2)^(1/2) of two rank-1 projections is their overlap.
    const c = given([0, 0], [[1, 0], [0, 0]]); // prettier-ignore
    const d = given([0, 0], [[0.5, 0.5], [0.5, 0.5]]); // prettier-ignore
    expect(frechetDistance(c, d)).toBeCloseTo(2 - 2 * Math.SQRT1_2, 12);
    expect(frechetDistance(c, given([3, 0], [[0, 0], [0, 0]]))).toBeCloseTo(10, 12); // prettier-ignore
  });

  it.each([
    [20, 64],
    [64, 64],
    [65, 64],
    [500, 64],
    [2, 3],
  ])("is 0 for %d equal images of %d dimensions, and |shift|^2 for shifted ones", (images, dimensions) => {
    scope(() => {
      const scales = tensor(Float64Array.from({ length: dimensions }, (_, i) => 0.8 ** i));
      const x = normal(images, dimensions).mul(scales);
      const trace = x.variance(0, { correction: 1 }).sum().item();
      using moments = featureMoments(x);
      expect(frechetDistance(x, x)).toBeLessThan(1e-6 * trace);
      expect(frechetDistance(moments, x)).toBeLessThan(1e-6 * trace);
      expect(frechetDistance(moments, moments)).toBeLessThan(1e-6 * trace);
      expect(Math.abs(frechetDistance(x, x.add(0.5)) / (dimensions * 0.25) - 1)).toBeLessThan(1e-6);
    });
  });

  it("is a number for features that are all equal, and for two images", () => {
    scope(() => {
      const flat = zeros([10, 4], { dtype: "float64" });
      expect(frechetDistance(flat, flat)).toBe(0);
      const x = normal(50, 4);
      const trace = x.variance(0, { correction: 1 }).sum().item();
      const expected = trace + x.mean(0).square().sum().item();
      expect(frechetDistance(x, flat)).toBeCloseTo(expected, 12);
      expect(frechetDistance(flat, x)).toBeCloseTo(expected, 12);
      expect(frechetDistance(normal(2, 300), normal(2, 300, 1))).toBeGreaterThan(0);
      for (const [real, fake] of [
        [x, flat],
        [flat, x],
        [flat, flat.slice(0, 0, 3)],
        [x, flat.slice(0, 0, 3)],
      ] as const) {
        const { value, interval, influence } = frechetEstimate(real, fake, { resamples: 20 });
        expect(value).toBeCloseTo(frechetDistance(real, fake), 12);
        expect([...interval, ...influence].every(Number.isFinite)).toBe(true);
      }
    });
  });

  it("is symmetric, not negative, and the same for permuted or rotated features", () => {
    fc.assert(
      fc.property(
        fc.record({
          n: fc.integer({ min: 2, max: 30 }),
          m: fc.integer({ min: 2, max: 30 }),
          d: fc.integer({ min: 1, max: 20 }),
          seed: fc.integer({ min: 0, max: 1000 }),
        }),
        ({ n, m, d, seed }) =>
          scope(() => {
            const [x, y] = [
              normal(n, d, seed),
              normal(m, d, seed + 1)
                .mul(1.5)
                .add(0.3),
            ];
            const distance = frechetDistance(x, y);
            const near = (other: number) => Math.abs(other - distance) <= 1e-9 * (1 + distance);
            expect(distance).toBeGreaterThanOrEqual(0);
            expect(near(frechetDistance(y, x))).toBe(true);
            expect(near(frechetDistance(x.flip([0]), y))).toBe(true);
            const [rotation] = linalgSvd(normal(d, d, seed + 2));
            expect(near(frechetDistance(x.matmul(rotation), y.matmul(rotation)))).toBe(true);
            expect(near(frechetDistance(x.mul(3), y.mul(3)) / 9)).toBe(true);
          }),
      ),
      { seed: 2, numRuns: 40 },
    );
  });

  it("leaves no tensor behind and refuses misfits", () => {
    const x = normal(10, 4);
    const before = settledTensorCount();
    frechetDistance(x, x);
    frechetEstimate(x, x, { resamples: 5 });
    expect(tensorCount()).toBe(before);
    expect(() => frechetDistance(x, normal(10, 5))).toThrow("expected [N, D] and [M, D]");
    expect(() => frechetDistance(x, normal(1, 4))).toThrow("N and M >= 2");
    expect(() => frechetDistance(x, x.div(0))).toThrow("NaN or infinity");
    x.dispose();
  });
});

/** Moments of features that count `weights`, as the unbiased covariance weighs equal ones. */
function weightedMoments(x: Tensor, weights: number[]): FeatureMoments {
  const total = weights.reduce((sum, w) => sum + w, 0);
  const w = tensor(Float64Array.from(weights, (own) => own / total)).unsqueeze(1);
  const mean = x.mul(w).sum(0);
  const deviations = x.sub(mean);
  const factor = x.shape[0]! / (x.shape[0]! - 1);
  const covariance = deviations.transpose(0, 1).matmul(deviations.mul(w)).mul(factor);
  return { count: x.shape[0]!, mean, covariance, [Symbol.dispose]: () => undefined };
}

describe("frechetEstimate", () => {
  it.each([
    [200, 60, 5],
    [30, 12, 20],
    [40, 10, 20],
    [10, 40, 20],
    [12, 15, 20],
  ])("has the influence that weighing an image differently has: %d and %d images of %d", (n, m, d) => {
    scope(() => {
      const [x, y] = [normal(n, d), normal(m, d, 1).mul(1.3).add(0.4)];
      const { value, influence } = frechetEstimate(x, y, { resamples: 5 });
      expect(value).toBeCloseTo(frechetDistance(x, y), 10);
      expect(influence.reduce((sum, own) => sum + own, 0)).toBeCloseTo(0, 8);
      const step = 1e-4;
      for (const image of [0, 3, m - 1]) {
        const at = (change: number) => {
          const weights = Array.from({ length: m }, (_, i) => 1 / m + (i === image ? change : 0));
          return frechetDistance(x, weightedMoments(y, weights));
        };
        // Adding weight e and dividing by the sum is the step e towards the image, to first order.
        const slope = (at(step) - at(-step)) / (2 * step);
        expect(Math.abs(slope / influence[image]! - 1)).toBeLessThan(1e-3);
      }
    });
  });

  it("is as wide as a bootstrap of the images where that works", () => {
    scope(() => {
      const [m, d] = [400, 4];
      const [x, y] = [normal(500, d), normal(m, d, 1).mul(1.2).add(0.5)];
      const { value, interval } = frechetEstimate(x, y);
      const random = fastRandom(5);
      const drawn = Array.from({ length: 300 }, () =>
        scope(() => {
          const rows = Int32Array.from({ length: m }, () => Math.floor(random() * m));
          return frechetDistance(x, y.indexSelect(0, tensor(rows)));
        }),
      ).sort((a, b) => a - b);
      const brute = drawn[292]! - drawn[7]!;
      const width = interval[1] - interval[0];
      expect(width / brute).toBeGreaterThan(0.85);
      expect(width / brute).toBeLessThan(1.2);
      expect(interval[0]).toBeLessThan(value);
      expect(interval[1]).toBeGreaterThan(value);
    });
  });

  it("covers the expected distance of sets of this size in about 95 % of the cases", () => {
    scope(() => {
      const [m, d, sets] = [60, 6, 150];
      const x = normal(300, d);
      const estimates = Array.from({ length: sets }, (_, i) =>
        frechetEstimate(
          x,
          normal(m, d, 100 + i)
            .mul(1.3)
            .add(0.5),
          { resamples: 200 },
        ),
      );
      const expected = estimates.reduce((sum, { value }) => sum + value / sets, 0);
      const covered = estimates.filter(({ interval: [low, high] }) => low <= expected && expected <= high);
      expect(covered.length / sets).toBeGreaterThan(0.88);
    });
  });

  it("covers it too with fewer images than dimensions, and says what to think of the value", () => {
    scope(() => {
      const [m, d, sets] = [25, 40, 80];
      const x = normal(100, d);
      const estimates = Array.from({ length: sets }, (_, i) =>
        frechetEstimate(
          x,
          normal(m, d, 100 + i)
            .mul(1.3)
            .add(0.5),
          { resamples: 200 },
        ),
      );
      const expected = estimates.reduce((sum, { value }) => sum + value / sets, 0);
      const covered = estimates.filter(({ interval: [low, high] }) => low <= expected && expected <= high);
      expect(covered.length / sets).toBeGreaterThan(0.88);
      expect(estimates[0]!.caution).toContain("25 images give a singular covariance in 40 dimensions");
      expect(frechetEstimate(x, normal(41, d), { resamples: 5 }).caution).toBeUndefined();
    });
  });

  it("keeps the prompts apart and depends on the seed only", () => {
    scope(() => {
      const x = normal(200, 3);
      // Two prompts far apart: which image belongs to which is no accident.
      const y = normal(100, 3, 1).add(
        tensor([...Array<number>(50).fill(0), ...Array<number>(50).fill(8)]).unsqueeze(1),
      );
      const width = ({ interval: [low, high] }: { interval: readonly [number, number] }) => high - low;
      const apart = frechetEstimate(x, y, { strata: [50, 50], seed: 3 });
      expect(width(apart)).toBeLessThan(0.5 * width(frechetEstimate(x, y, { seed: 3 })));
      expect(frechetEstimate(x, y, { strata: [50, 50], seed: 3 })).toEqual(apart);
      expect(frechetEstimate(x, y, { strata: [50, 50], seed: 4 }).interval).not.toEqual(apart.interval);
    });
  });
});
