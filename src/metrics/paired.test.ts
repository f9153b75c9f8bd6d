import { describe, expect, it } from "vitest";
import { Generator, randn, scope } from "../torch/index.ts";
import { fastRandom } from "./fast-random.ts";
import { frechetDistance } from "./fid.ts";
import { frechetEstimate } from "./fid-estimate.ts";
import { kernelEstimate } from "./kid.ts";
import { pairedInfluence, pairedMeans, pairedReplicates } from "./paired.ts";
import { pairedBias } from "./paired-bias.ts";
import { precisionRecallEstimate } from "./precision-recall-estimate.ts";

const normal = (rows: number, columns: number, seed = 0) =>
  randn([rows, columns], { generator: new Generator().manualSeed(seed), dtype: "float64" });

describe("pairedMeans", () => {
  it("has the exact p-value of few pairs", () => {
    // All 2^4 signs: only the two that are all alike reach |mean| = 2.5.
    const { difference, pValue } = pairedMeans([0, 0, 0, 0], [1, 2, 3, 4], { resamples: 20_000 });
    expect(difference).toBe(2.5);
    expect(pValue).toBeCloseTo(2 / 16, 2);
    expect(pairedMeans([1, 2], [1, 2])).toEqual({ difference: 0, interval: [0, 0], pValue: 1 });
  });

  it("sees through what the pairs share", () => {
    const random = fastRandom(1);
    const seeds = Array.from({ length: 100 }, () => 50 * random());
    const [a, b] = [seeds.map((x) => x + random()), seeds.map((x) => x + 0.3 + random())];
    const { difference, interval, pValue } = pairedMeans(a, b);
    expect(difference).toBeCloseTo(0.3, 0.5);
    expect(interval[0]).toBeGreaterThan(0);
    expect(pValue).toBeLessThan(0.01);
    // The other pairing has nothing in common.
    expect(pairedMeans(a, b.toReversed()).pValue).toBeGreaterThan(0.5);
    expect(pairedMeans(a, b, { seed: 2 })).toEqual(pairedMeans(a, b, { seed: 2 }));
    expect(pairedMeans(b, a).difference).toBeCloseTo(-difference, 12);
  });

  it("has a p-value below 0.05 in about 5 % of the cases without a difference", () => {
    const random = fastRandom(2);
    let low = 0;
    for (let i = 0; i < 2000; i++) {
      const draw = () => Array.from({ length: 20 }, () => random() + random());
      low += +(pairedMeans(draw(), draw(), { resamples: 200, seed: i }).pValue < 0.05);
    }
    expect(low / 2000).toBeGreaterThan(0.035);
    expect(low / 2000).toBeLessThan(0.065);
  });

  it("refuses what are no pairs", () => {
    expect(() => pairedMeans([1], [1, 2])).toThrow("pairs of 1 and 2 images");
    expect(() => pairedMeans([], [])).toThrow("at least one");
  });
});

describe("pairedBias", () => {
  it("has the difference, overall and per prompt", () => {
    const a = [
      [0, 0, 0, 1],
      [0, 1, 0, 1],
    ];
    const b = [
      [0, 1, 0, 1],
      [1, 1, 1, 1],
    ];
    const { difference, perPrompt } = pairedBias(a, b, { classes: 2 });
    expect(perPrompt.map((own) => own.difference)).toEqual([-0.5, 1]);
    expect(difference).toBe(0.25);
    const same = pairedBias(a, a, { classes: 2 });
    expect([same.difference, same.pValue, ...same.interval]).toEqual([0, 1, 0, 0]);
    expect(() => pairedBias(a, [[0], [1]], { classes: 2 })).toThrow("[4, 4] and [1, 1] images per prompt");
    expect(() => pairedBias(a, b, { classes: 1 })).toThrow("label 1");
  });

  it("has the exact p-value of one prompt with few seeds", () => {
    // a is all 0, b half: |p1 - p2| falls from 1 to 0. Swapping h of the two seeds that differ: of a's four labels h are 1.
    const { pValue, difference } = pairedBias([[0, 0, 0, 0]], [[1, 1, 0, 0]], {
      classes: 2,
      resamples: 20_000,
    });
    expect(difference).toBe(-1);
    expect(pValue).toBeCloseTo(0.5, 1.5);
  });

  it("finds a real difference, and none where there is none", () => {
    const random = fastRandom(3);
    const labels = (share: number) => Array.from({ length: 128 }, () => +(random() < share));
    const biased = [labels(0.9), labels(0.1)];
    const fair = [labels(0.5), labels(0.5)];
    const found = pairedBias(biased, fair, { classes: 2, resamples: 500 });
    expect(found.interval[1]).toBeLessThan(-0.4);
    expect(found.pValue).toBeLessThan(0.01);
    let low = 0;
    for (let i = 0; i < 200; i++) {
      const [a, b] = [[labels(0.8)], [labels(0.8)]];
      low += +(pairedBias(a, b, { classes: 2, resamples: 200, seed: i }).pValue < 0.05);
    }
    expect(low / 200).toBeLessThan(0.09);
  });
});

describe("pairedInfluence and pairedReplicates", () => {
  it("cover the difference of two models' expected distances, narrower than apart", () => {
    scope(() => {
      const [x, m, sets] = [normal(300, 4), 80, 60];
      // The same seeds: model b is model a, moved.
      const pairs = Array.from({ length: sets }, (_, i) => {
        const a = normal(m, 4, 100 + i)
          .mul(1.2)
          .add(0.6);
        return [a, a.sub(0.1)] as const;
      });
      const options = { resamples: 200 };
      for (const estimate of [frechetEstimate, kernelEstimate]) {
        const compared = pairs.map(([a, b]) =>
          pairedInfluence(estimate(x, a, options), estimate(x, b, options), options),
        );
        const expected = compared.reduce((sum, { difference }) => sum + difference / sets, 0);
        const covered = compared.filter(({ interval: [low, high] }) => low <= expected && expected <= high);
        expect(covered.length / sets).toBeGreaterThan(0.85);
        expect(compared.every(({ pValue }) => pValue < 0.05)).toBe(true);
        const alone = estimate(x, pairs[0]![0], options).interval;
        const [low, high] = compared[0]!.interval;
        expect(high - low).toBeLessThan(0.5 * (alone[1] - alone[0]));
      }
      const [a, b] = pairs[0]!;
      const { difference } = pairedInfluence(frechetEstimate(x, a), frechetEstimate(x, b));
      expect(difference).toBeCloseTo(frechetDistance(x, b) - frechetDistance(x, a), 9);
    });
  });

  it("compare recall by the same halves", () => {
    scope(() => {
      const x = normal(200, 4);
      const y = normal(150, 4, 1);
      const of = (features: typeof y) => precisionRecallEstimate(x, features, { resamples: 300 });
      const [a, b, narrow] = [of(y), of(y.add(0.01)), of(y.mul(0.4))];
      const small = pairedReplicates(a.recall, b.recall);
      expect(small.interval[0]).toBeLessThanOrEqual(small.difference);
      expect(small.pValue).toBeGreaterThan(0.1);
      const large = pairedReplicates(a.recall, narrow.recall);
      expect(large.difference).toBeCloseTo(narrow.recall.value - a.recall.value, 12);
      expect(large.interval[1]).toBeLessThan(0);
      expect(large.pValue).toBeLessThan(0.01);
      expect(pairedReplicates(a.recall, a.recall).pValue).toBe(1);
      expect(() => pairedReplicates(a.recall, { ...b.recall, deviations: new Float64Array(3) })).toThrow(
        "300 and 3 replicates",
      );
    });
  });
});
