import { describe, expect, it } from "vitest";

import { combineAttributes, type HiddenAttribute, matchAttributes } from "./hidden-attributes.ts";
import type { Population } from "./populations.ts";

const attribute = (rare: number[]): HiddenAttribute => ({
  scores: Float64Array.from(rare),
  rare: Float64Array.from(rare),
  share: rare.reduce((sum, p) => sum + p, 0) / rare.length,
});
const population = (upper: number[]): Population => ({
  scores: Float64Array.from(upper, (p) => 2 * p - 1),
  direction: new Float64Array(2),
  dimensions: 2,
  mixture: {
    ...{ means: [0, 1], deviations: [1, 1], share: 0.25, separation: 3, bicGain: 1 },
    upper: Float64Array.from(upper),
  },
});

describe("combineAttributes", () => {
  it("makes a group of every combination, weighted by the product of the posteriors", () => {
    const place = attribute([0, 1, 0.25, 0, 1, 0]);
    const pose = attribute([0, 0, 0.5, 1, 1, 0]);
    const { weights, count } = combineAttributes([place, pose], 6, 8);
    expect(count).toBe(4);
    const row = (i: number) => [...weights.subarray(4 * i, 4 * i + 4)];
    expect(row(0)).toEqual([1, 0, 0, 0]);
    expect(row(1)).toEqual([0, 1, 0, 0]);
    expect(row(2)).toEqual([0.375, 0.125, 0.375, 0.125]);
    expect(row(3)).toEqual([0, 0, 1, 0]);
    expect(row(4)).toEqual([0, 0, 0, 1]);
  });

  it("gives a combination that nobody has to the one with a rare value less", () => {
    // Three places: the two rare ones never come together.
    const { weights, count } = combineAttributes([attribute([1, 0, 0, 0]), attribute([0, 1, 0.5, 0])], 4, 8);
    expect(count).toBe(3);
    for (let i = 0; i < 4; i++)
      expect(weights[3 * i]! + weights[3 * i + 1]! + weights[3 * i + 2]!).toBeCloseTo(1, 6);
    expect([...weights.subarray(0, 6)]).toEqual([0, 1, 0, 0, 0, 1]);
  });

  it("keeps at most the groups asked for, the largest ones and the usual one", () => {
    const place = attribute([1, 1, 1, 0, 0, 0, 0]);
    const pose = attribute([1, 1, 0, 1, 0, 0, 0]);
    const { weights, count } = combineAttributes([place, pose], 7, 2);
    expect(count).toBe(2);
    const rows = [0, 1, 2, 3, 4, 5, 6].map((i) => weights[2 * i + 1]);
    expect(rows).toEqual([1, 1, 0, 0, 0, 0, 0]);
  });
});

describe("matchAttributes", () => {
  // Two captions of four images; column 0 shows the one attribute, column 1 the other.
  const standard = Float64Array.from([3, -1, -1, -1, -1, -1, -1, 3, 3, -1, -1, -1, -1, 3, -1, -1]);
  const buckets = [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ];
  const options = { standard, buckets, width: 2, limit: 3 };

  it("puts populations together that change the losses alike, in whatever order they were found", () => {
    const found = [
      [population([1, 0, 0, 0]), population([0, 0, 0, 1])],
      [population([0, 0, 1, 0]), population([1, 0, 0, 0])],
    ];
    const attributes = matchAttributes(found, options);
    expect(attributes.map(({ rare }) => [...rare])).toEqual([
      [1, 0, 0, 0, 1, 0, 0, 0],
      [0, 0, 0, 1, 0, 0, 1, 0],
    ]);
    expect(attributes.map(({ share }) => share)).toEqual([0.25, 0.25]);
  });

  it("leaves an attribute open where a caption does not show it", () => {
    const [first, second, ...more] = matchAttributes(
      [[population([1, 0, 0, 0])], [population([0, 0, 1, 0])]],
      options,
    );
    expect(more).toEqual([]);
    expect([...first!.rare]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
    expect([...first!.scores.subarray(4)]).toEqual([NaN, NaN, NaN, NaN]);
    expect([...second!.rare]).toEqual([0, 0, 0, 0, 0, 0, 1, 0]);
  });
});
