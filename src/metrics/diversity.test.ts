import { describe, expect, it } from "vitest";
import { diversityEstimate, imagePairs } from "./diversity.ts";
import { fastRandom } from "./fast-random.ts";

/** Distances |x_i - x_j| of the pairs, as LPIPS would give them. */
const pairsOf = (x: readonly number[]) => imagePairs(x.length).map(([i, j]) => Math.abs(x[i]! - x[j]!));

describe("diversityEstimate", () => {
  it("is the mean over distinct pairs; the reference also counts each image with itself", () => {
    const distances = [pairsOf([0, 1, 3]), pairsOf([0, 4])];
    const { overall, perPrompt, reference } = diversityEstimate(distances, { resamples: 10 });
    expect(perPrompt.map(({ value }) => value)).toEqual([2, 4]);
    expect(overall.value).toBe(3);
    // All ordered pairs of three images: 9, of which 3 are 0; of two: 4, of which 2 are 0.
    expect(reference.perPrompt[0]).toBeCloseTo((2 * (1 + 3 + 2)) / 9, 12);
    expect(reference.perPrompt[1]).toBeCloseTo((2 * 4) / 4, 12);
    expect(reference.overall).toBeCloseTo((12 / 9 + 2) / 2, 12);
  });

  it("lists the pairs in the order of their distances", () => {
    expect(imagePairs(4)).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
      [2, 3],
    ]);
  });

  it("is as wide as fresh images vary, and surrounds its value", () => {
    const random = fastRandom(1);
    const images = () => Array.from({ length: 24 }, () => random() + random());
    const many = Array.from(
      { length: 300 },
      () => diversityEstimate([pairsOf(images())], { resamples: 200 }).overall,
    );
    const mean = many.reduce((sum, { value }) => sum + value / 300, 0);
    const covered = many.filter(({ interval: [low, high] }) => low <= mean && mean <= high).length / 300;
    expect(covered).toBeGreaterThan(0.88);
    // Resampling the 276 pairs as if they were independent would cover about half.
    expect(covered).toBeLessThan(0.99);
    for (const { value, interval } of many) {
      expect(interval[0]).toBeLessThan(value);
      expect(interval[1]).toBeGreaterThan(value);
    }
  });

  it("is deterministic, has no spread for two images, and refuses what are no pairs", () => {
    const distances = [pairsOf([1, 5, 2, 8])];
    expect(diversityEstimate(distances, { seed: 3 })).toEqual(diversityEstimate(distances, { seed: 3 }));
    expect(diversityEstimate([[0.5]]).overall).toEqual({ value: 0.5, interval: [0.5, 0.5] });
    expect(() => diversityEstimate([[1, 2]])).toThrow("2 pair distances");
    expect(() => diversityEstimate([[]])).toThrow("0 pair distances");
    expect(() => diversityEstimate([])).toThrow("no prompt");
  });
});
