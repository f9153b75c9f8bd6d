import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { Generator, randn, scope, type Tensor, tensor, tensorCount } from "../torch/index.ts";
import { featureMoments, MomentsAccumulator } from "./moments.ts";

const normal = (rows: number, columns: number, seed = 0) =>
  randn([rows, columns], { generator: new Generator().manualSeed(seed), dtype: "float64" });

const largest = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item();

describe("MomentsAccumulator", () => {
  it("has the mean and the covariance by hand", () => {
    using moments = featureMoments(
      tensor([
        [1, 2],
        [3, 2],
        [5, 8],
      ]),
    );
    expect(moments.count).toBe(3);
    expect(moments.mean.toNumbers()).toEqual([3, 4]);
    expect(moments.covariance.toNumbers()).toEqual([4, 6, 6, 12]);
  });

  it("does not depend on how the images are cut into batches", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 1000 }),
        (sizes, seed) => {
          const total = sizes.reduce((sum, size) => sum + size, 2);
          scope(() => {
            const x = normal(total, 3, seed);
            using accumulator = new MomentsAccumulator(3);
            let start = 0;
            for (const size of [...sizes, 2]) accumulator.add(x.slice(0, start, (start += size)));
            using moments = accumulator.finish();
            expect(moments.count).toBe(total);
            expect(largest(moments.mean, x.mean(0))).toBeLessThan(1e-12);
            expect(largest(moments.covariance, x.transpose(0, 1).cov())).toBeLessThan(1e-12);
          });
        },
      ),
      { seed: 1, numRuns: 40 },
    );
  });

  it("is stable when the mean is a hundred million times the spread", () => {
    scope(() => {
      // Quarters are exact beside 2^27, so that the shifted features hold the same deviations.
      const x = normal(300, 4).mul(4).round().div(4);
      using accumulator = new MomentsAccumulator(4);
      for (let i = 0; i < 300; i += 7) accumulator.add(x.slice(0, i, i + 7).add(2 ** 27));
      using moments = accumulator.finish();
      const expected = x.transpose(0, 1).cov();
      // Sums of squares would have lost all 16 digits: (2^27)^2 is 2^54.
      expect(largest(moments.covariance, expected)).toBeLessThan(1e-6);
    });
  });

  it("can go on after its moments were taken, and holds no batch", () => {
    const before = settledTensorCount();
    {
      using accumulator = new MomentsAccumulator(2);
      scope(() => accumulator.add(normal(5, 2)));
      expect(tensorCount()).toBe(before + 2);
      using first = accumulator.finish();
      scope(() => accumulator.add(normal(5, 2, 1)));
      using second = accumulator.finish();
      expect([first.count, second.count]).toEqual([5, 10]);
      scope(() => expect(largest(first.mean, normal(5, 2).mean(0))).toBeLessThan(1e-12));
    }
    expect(settledTensorCount()).toBe(before);
  });

  it("refuses what has no moments", () => {
    using accumulator = new MomentsAccumulator(2);
    expect(() => accumulator.finish()).toThrow("moments of 0 images");
    expect(() => accumulator.add(normal(2, 3))).toThrow("expected [N, 2]");
    expect(() => accumulator.add(tensor([[1, Number.NaN]]))).toThrow("NaN or infinity");
    expect(() => new MomentsAccumulator(0)).toThrow("0 dimensions");
  });
});
