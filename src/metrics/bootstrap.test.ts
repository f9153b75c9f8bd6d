import { describe, expect, it } from "vitest";
import { biasEstimate } from "./bias-estimate.ts";
import { bootstrapInterval, meanEstimate, quantileOfSorted, shareEstimate } from "./bootstrap.ts";
import { fastRandom } from "./fast-random.ts";

describe("bootstrap", () => {
  it("gives the normal interval of a mean", () => {
    const random = fastRandom(3);
    const data = Float64Array.from({ length: 400 }, () => random() + random() + random());
    const mean = (indices: ArrayLike<number>) => {
      let sum = 0;
      for (let i = 0; i < indices.length; i++) sum += data[indices[i]!]!;
      return sum / indices.length;
    };
    const centre = mean(Array.from(data, (_, i) => i));
    const sd = Math.sqrt(data.reduce((sum, value) => sum + (value - centre) ** 2, 0) / data.length);
    const [low, high] = bootstrapInterval(data.length, mean, { resamples: 4000 });
    const half = (1.96 * sd) / Math.sqrt(data.length);
    expect(low).toBeCloseTo(centre - half, 2);
    expect(high).toBeCloseTo(centre + half, 2);
  });

  it("is the same for a seed and another for another", () => {
    const counts = [
      [300, 212],
      [200, 312],
    ];
    expect(biasEstimate(counts, { seed: 5 })).toEqual(biasEstimate(counts, { seed: 5 }));
    expect(biasEstimate(counts, { seed: 5 })).not.toEqual(biasEstimate(counts, { seed: 6 }));
  });

  it("keeps strata apart", () => {
    bootstrapInterval(
      [3, 2],
      (indices) => {
        expect(indices.subarray(0, 3).every((i) => i < 3)).toBe(true);
        expect(indices.subarray(3).every((i) => i === 3 || i === 4)).toBe(true);
        return 0;
      },
      { resamples: 50 },
    );
    expect(() => bootstrapInterval(0, () => 0)).toThrow("at least one item");
  });

  it("surrounds the Bias with the binomial interval", () => {
    const { overall, perPrompt } = biasEstimate(
      [
        [448, 64],
        [64, 448],
      ],
      { resamples: 4000 },
    );
    expect(overall.value).toBeCloseTo(0.75, 12);
    // sd of 2p - 1 is 2 sqrt(p (1 - p) / n).
    const sd = 2 * Math.sqrt((0.875 * 0.125) / 512);
    expect(perPrompt[0]!.interval[0]).toBeCloseTo(0.75 - 1.96 * sd, 1.7);
    expect(perPrompt[1]!.interval[1]).toBeCloseTo(0.75 + 1.96 * sd, 1.7);
    const width = overall.interval[1] - overall.interval[0];
    expect(width).toBeGreaterThan((1.8 * 2 * sd) / Math.SQRT2);
    expect(width).toBeLessThan((2.1 * 2 * sd) / Math.SQRT2);
    expect(biasEstimate([[512, 0]]).overall.interval).toEqual([1, 1]);
  });

  it("redraws each stratum by itself", () => {
    const values = [1, 1, 1, 5, 5];
    expect(meanEstimate(values, { strata: [3, 2] })).toEqual({ value: 2.6, interval: [2.6, 2.6] });
    expect(meanEstimate(values).interval[0]).toBeLessThan(2.6);
    expect(meanEstimate(values, { strata: [1, 2, 2] })).toEqual(meanEstimate(values));
    expect(() => meanEstimate(values, { strata: [3, 3] })).toThrow("strata [3, 3] of 5 images");
  });

  it("gives the reference's Bias beside the normalised one", () => {
    const { raw, overall, perPrompt } = biasEstimate([
      [30, 10, 0, 0],
      [10, 10, 10, 10],
    ]);
    expect(raw.perPrompt[0]!.value).toBeCloseTo((20 + 30 + 30 + 10 + 10 + 0) / 40 / 6, 12);
    expect(raw.overall.value).toBeCloseTo(overall.value / 2, 12);
    raw.perPrompt[1]!.interval.forEach((end, i) =>
      expect(end).toBeCloseTo(perPrompt[1]!.interval[i]! / 2, 12),
    );
    raw.overall.interval.forEach((end, i) => expect(end).toBeCloseTo(overall.interval[i]! / 2, 12));
  });

  it("estimates shares and interpolates quantiles", () => {
    const { value, interval } = shareEstimate([true, true, true, false]);
    expect(value).toBe(0.75);
    expect(interval).toEqual([0.25, 1]);
    expect(quantileOfSorted([1, 2, 4], 0.75)).toBe(3);
    expect(quantileOfSorted([7], 0.3)).toBe(7);
  });
});
