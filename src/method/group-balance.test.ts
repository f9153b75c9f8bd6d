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
});
