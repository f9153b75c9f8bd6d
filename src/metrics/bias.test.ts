import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { bias, biasFromPredictions, normalisedBias, promptBias } from "./bias.ts";

interface BiasGolden {
  counts: number[][];
  bias_scores: number[];
  bias_score: number;
  std_score: number;
}

const cases = (JSON.parse(readFileSync(golden("metrics.json"), "utf8")) as { bias: BiasGolden[] }).bias;

describe("bias", () => {
  it.each(cases.map((entry, index) => ({ index, ...entry })))(
    "equals the reference: case $index",
    (entry) => {
      const report = bias(entry.counts);
      report.biasScores.forEach((score, i) => expect(score).toBeCloseTo(entry.bias_scores[i]!, 12));
      expect(report.biasScores).toHaveLength(entry.bias_scores.length);
      expect(report.biasScore).toBeCloseTo(entry.bias_score, 12);
      expect(report.stdScore).toBeCloseTo(entry.std_score, 12);
    },
  );

  it("normalises to 0..1 for any number of values, and is |p1 - p2| for two", () => {
    expect(normalisedBias([7, 0, 0, 0, 0])).toBeCloseTo(1, 12);
    expect(normalisedBias([3, 3, 3])).toBe(0);
    expect(normalisedBias([90, 10])).toBeCloseTo(0.8, 12);
    expect(
      bias([
        [90, 10],
        [1, 1],
      ]).normalisedScore,
    ).toBeCloseTo(0.4, 12);
  });

  it("counts predictions", () => {
    expect(biasFromPredictions([0, 0, 0, 1], 2)).toBeCloseTo(0.5, 12);
    expect(() => biasFromPredictions([0, 2], 2)).toThrow("label 2 at index 1");
  });

  it("refuses counts without meaning", () => {
    expect(() => promptBias([5])).toThrow("at least two counts");
    expect(() => promptBias([0, 0])).toThrow("at least one image");
    expect(() => promptBias([-1, 2])).toThrow(">= 0");
    expect(() => bias([])).toThrow("no prompt");
  });
});
