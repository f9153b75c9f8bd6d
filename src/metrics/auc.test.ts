import { describe, expect, it } from "vitest";
import { accuracy, confusionMatrix } from "./accuracy.ts";
import { groupPurity, labellingPrecisionRecall, rocAuc } from "./auc.ts";
import { fastRandom } from "./fast-random.ts";

describe("rocAuc", () => {
  it("counts ordered pairs, ties half", () => {
    expect(rocAuc([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
    expect(rocAuc([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
    expect(rocAuc([5, 5, 5, 5], [0, 1, 0, 1])).toBe(0.5);
    expect(rocAuc([1, 2, 2, 3], [false, false, true, true])).toBe(0.875);
  });

  it("equals the definition on random scores with ties", () => {
    const random = fastRandom(1);
    const scores = Array.from({ length: 200 }, () => Math.floor(random() * 20));
    const positives = scores.map((score) => random() < score / 30);
    let wins = 0;
    let pairs = 0;
    scores.forEach((a, i) =>
      scores.forEach((b, j) => {
        if (!positives[i] || positives[j]) return;
        pairs++;
        wins += a > b ? 1 : a === b ? 0.5 : 0;
      }),
    );
    expect(rocAuc(scores, positives)).toBeCloseTo(wins / pairs, 12);
  });

  it("refuses what has no answer", () => {
    expect(() => rocAuc([1, 2], [1, 1])).toThrow("0 negative");
    expect(() => rocAuc([1], [1, 0])).toThrow("length 1 and 2");
    expect(() => rocAuc([Number.NaN, 1], [1, 0])).toThrow("NaN");
  });
});

describe("labellings", () => {
  it("has precision, recall, purity and accuracy", () => {
    expect(labellingPrecisionRecall([1, 1, 0, 0], [1, 0, 1, 1])).toEqual({ precision: 0.5, recall: 1 / 3 });
    expect(labellingPrecisionRecall([0, 0], [1, 0])).toEqual({ precision: 0, recall: 0 });
    expect(groupPurity([0, 0, 0, 1], [1, 1, 0, 0], { groups: 3, values: 2 })).toEqual({
      purity: 0.75,
      counts: [
        [1, 2],
        [1, 0],
        [0, 0],
      ],
      shares: [
        [1 / 3, 2 / 3],
        [1, 0],
        [0, 0],
      ],
    });
    expect(accuracy([0, 1, 1], [0, 1, 0])).toBeCloseTo(2 / 3, 12);
    expect(confusionMatrix([0, 1, 1], [0, 1, 0], 2)).toEqual([
      [1, 1],
      [0, 1],
    ]);
  });
});
