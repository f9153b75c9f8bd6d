import { describe, expect, it } from "vitest";
import { scope, ShapeError, tensor, zeros } from "../torch/index.ts";
import { clipScore, clipScores } from "./clip-score.ts";

describe("CLIPScore", () => {
  // Cosines by hand: 1, 0, -1, 0.6 (3-4-5 triangle), whatever the lengths.
  const images = () =>
    tensor([
      [2, 0],
      [0, 5],
      [1, 1],
      [3, 4],
    ]);
  const texts = () =>
    tensor([
      [0.1, 0],
      [7, 0],
      [-2, -2],
      [10, 0],
    ]);

  it("is 100 times the cosine of each pair", () => {
    scope(() => {
      const scores = clipScores(images(), texts()).toNumbers();
      [100, 0, -100, 60].forEach((score, i) => expect(scores[i]).toBeCloseTo(score, 4));
    });
  });

  it("counts negative ones as 0 in the mean", () => {
    scope(() => expect(clipScore(images(), texts())).toBeCloseTo((100 + 0 + 0 + 60) / 4, 4));
  });

  it("refuses what are no pairs", () => {
    scope(() => {
      expect(() => clipScores(images(), zeros([3, 2]))).toThrow(ShapeError);
      expect(() => clipScores(images(), zeros([3, 2]))).toThrow(/\[4, 2\].*\[3, 2\]/);
      expect(() => clipScores(zeros([2]), zeros([2]))).toThrow(ShapeError);
    });
  });
});
