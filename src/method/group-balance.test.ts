import { describe, expect, it } from "vitest";

import { balancedSampling } from "./group-balance.ts";

describe("balancedSampling", () => {
  it("draws every (caption, group) cell equally often", () => {
    // caption 0: three of group 0, one of group 1; caption 1: one of each
    const captionOf = Int32Array.from([0, 0, 0, 0, 1, 1]);
    const weights = Float32Array.from([1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1]);
    expect([...balancedSampling(weights, 2, captionOf)]).toEqual([1 / 3, 1 / 3, 1 / 3, 1, 1, 1]);
  });

  it("shares soft members between the groups", () => {
    const p = balancedSampling(Float32Array.from([0.5, 0.5, 1, 0, 0, 1]), 2, new Int32Array(3));
    p.forEach((value, i) => expect(value).toBeCloseTo([2 / 3, 2 / 3, 2 / 3][i]!, 6));
  });

  it("ignores a cell that holds less than one image", () => {
    const weights = Float32Array.from([0.999, 0.001, 1, 0]);
    const p = balancedSampling(weights, 2, new Int32Array(2));
    expect(p[0]! / p[1]!).toBeCloseTo(0.999, 3);
  });

  it("does not draw the few images of a very small cell over and over", () => {
    // One caption of 1000 images: three groups of 500, 497 and 3 images.
    const group = (row: number) => (row < 500 ? 0 : row < 997 ? 1 : 2);
    const weights = Float32Array.from({ length: 3000 }, (_, i) => +(group(Math.floor(i / 3)) === i % 3));
    const p = balancedSampling(weights, 3, new Int32Array(1000));
    expect(p[0]).toBeCloseTo(1 / 500, 10);
    expect(p[999]).toBeCloseTo(60 / 1000, 10);
    // Drawn alike, an image would have the weight 3 groups / 1000: the rare ones have 20 times that.
    expect(p[999]! / (3 / 1000)).toBeCloseTo(20, 6);
  });

  it("still draws a cell of 2 % among four as often as the others", () => {
    const sizes = [1440, 360, 160, 40];
    const of = sizes.flatMap((size, g) => new Array<number>(size).fill(g));
    const weights = Float32Array.from({ length: 8000 }, (_, i) => +(of[Math.floor(i / 4)] === i % 4));
    const p = balancedSampling(weights, 4, new Int32Array(2000));
    const totals = sizes.map((_, g) => p.reduce((sum, own, row) => sum + (of[row] === g ? own : 0), 0));
    totals.forEach((total) => expect(total).toBeCloseTo(1, 6));
  });
});
