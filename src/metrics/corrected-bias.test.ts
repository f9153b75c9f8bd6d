import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { biasEstimate } from "./bias-estimate.ts";
import { correctedBias } from "./corrected-bias.ts";
import { correctedShares } from "./corrected-shares.ts";
import { fastRandom } from "./fast-random.ts";

describe("correctedShares", () => {
  it("undoes the classifier's mistakes", () => {
    // 70 % are of value 0; 90 % of these and 20 % of the others are called so: 0.63 + 0.06.
    const shares = correctedShares([69, 31], [[90, 10], [20, 80]]); // prettier-ignore
    expect(shares[0]).toBeCloseTo(0.7, 12);
    // Nothing to correct.
    expect(correctedShares([3, 5, 2], [[7, 0, 0], [0, 9, 0], [0, 0, 4]])).toEqual([0.3, 0.5, 0.2]); // prettier-ignore
  });

  it("stays within 0..1 where the exact answer would not", () => {
    expect(correctedShares([1, 99], [[90, 10], [20, 80]])).toEqual([0, 1]); // prettier-ignore
    const shares = correctedShares([0, 50, 50], [[80, 10, 10], [10, 80, 10], [10, 10, 80]]); // prettier-ignore
    expect(shares[0]).toBeLessThan(1e-6);
    expect(shares[1]).toBeCloseTo(0.5, 6);
  });

  it("gives back the shares that the predictions were made of, for any matrix with a diagonal", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 0, max: 1000 }), (values, seed) => {
        const random = fastRandom(seed);
        const normalised = (row: number[]) => row.map((x) => x / row.reduce((sum, own) => sum + own, 0));
        const truth = normalised(Array.from({ length: values }, () => 0.05 + random()));
        const rates = truth.map((_, i) =>
          normalised(truth.map((_, j) => random() * 0.5 + (i === j ? values : 0))),
        );
        const predicted = truth.map((_, j) => truth.reduce((sum, p, i) => sum + p * rates[i]![j]!, 0));
        correctedShares(predicted, rates).forEach((share, i) => expect(share).toBeCloseTo(truth[i]!, 9));
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it("always gives shares, also for a classifier that guesses", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }).chain((values) =>
          fc.tuple(
            fc.array(fc.integer({ min: 0, max: 50 }), { minLength: values, maxLength: values }),
            fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: values, maxLength: values }), {
              minLength: values,
              maxLength: values,
            }),
          ),
        ),
        ([counts, confusion]) => {
          fc.pre(
            counts.some((count) => count > 0) && confusion.every((row) => row.some((count) => count > 0)),
          );
          const shares = correctedShares(counts, confusion);
          expect(shares.every((share) => share >= 0)).toBe(true);
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
        },
      ),
      { seed: 6, numRuns: 100 },
    );
    expect(correctedShares([30, 70], [[50, 50], [50, 50]]).reduce((a, b) => a + b)).toBeCloseTo(1, 12); // prettier-ignore
  });

  it("refuses a matrix of another size or with an empty row", () => {
    expect(() => correctedShares([1, 2], [[1, 0]])).toThrow("expected 2 rows");
    expect(() => correctedShares([1, 2], [[1, 0], [0, 0]])).toThrow("none of them without images"); // prettier-ignore
    expect(() => correctedShares([0, 0], [[1, 0], [0, 1]])).toThrow("0 images"); // prettier-ignore
  });
});

describe("correctedBias", () => {
  const perfect = [[400, 0], [0, 400]]; // prettier-ignore
  const good = [[380, 20], [40, 360]]; // prettier-ignore

  it("is the plain Bias with a classifier that makes no mistakes", () => {
    const counts = [
      [300, 100],
      [180, 220],
    ];
    const [corrected, plain] = [correctedBias(counts, perfect), biasEstimate(counts)];
    corrected.perPrompt.forEach(({ value, interval }, p) => {
      expect(value).toBeCloseTo(plain.perPrompt[p]!.value, 12);
      interval.forEach((end, i) => expect(end).toBeCloseTo(plain.perPrompt[p]!.interval[i]!, 1));
    });
    expect(corrected.overall.value).toBeCloseTo(plain.overall.value, 12);
  });

  it("is larger than the plain one, with a wider interval", () => {
    const counts = [[300, 100]];
    const [corrected, plain] = [correctedBias(counts, good).overall, biasEstimate(counts).overall];
    const width = ({ interval: [low, high] }: { interval: readonly [number, number] }) => high - low;
    // (0.75 - 0.10) / (0.95 - 0.10) of value 0.
    expect(corrected.value).toBeCloseTo((2 * 0.65) / 0.85 - 1, 12);
    expect(width(corrected)).toBeGreaterThan(width(plain));
    // Fewer held-out images leave it less certain.
    const fewer = correctedBias(counts, [[38, 2], [4, 36]]).overall; // prettier-ignore
    expect(width(fewer)).toBeGreaterThan(1.3 * width(corrected));
  });

  it("covers the true Bias in about 95 % of the cases", () => {
    const random = fastRandom(7);
    const draw = (n: number, share: number) => {
      let hits = 0;
      for (let i = 0; i < n; i++) hits += +(random() < share);
      return [hits, n - hits];
    };
    let covered = 0;
    for (let i = 0; i < 200; i++) {
      // 70 % of value 0, seen by a classifier of rates 0.9 and 0.8.
      const counts = [draw(200, 0.7 * 0.9 + 0.3 * 0.2)];
      const { interval } = correctedBias(counts, [draw(100, 0.9), draw(100, 0.2)], {
        resamples: 300,
      }).overall;
      covered += +(interval[0] <= 0.4 && 0.4 <= interval[1]);
    }
    expect(covered / 200).toBeGreaterThan(0.9);
  });

  it("says when the classifier decides more than the images", () => {
    expect(correctedBias([[5, 5]], good, { resamples: 5 }).caution).toBeUndefined();
    const poor = correctedBias([[5, 5]], [[60, 40], [40, 60]], { resamples: 5 }); // prettier-ignore
    expect(poor.caution).toContain("rates 0.60, 0.60 only");
    expect(() => correctedBias([], good)).toThrow("no prompt");
  });
});
