import { describe, expect, it } from "vitest";
import { biasFloor } from "./bias-floor.ts";

describe("biasFloor", () => {
  it("has the closed form of few fair coins", () => {
    // 1 image: always all of one value. 2 images: half the time both alike.
    expect(biasFloor(1, 2)).toEqual({ expected: 1, upper: 1 });
    expect(biasFloor(2, 2).expected).toBeCloseTo(0.5, 12);
    // 4 images: |2h/4 - 1| is 0, 1/2, 1 with 6/16, 8/16, 2/16.
    expect(biasFloor(4, 2).expected).toBeCloseTo(8 / 32 + 2 / 16, 12);
    expect(biasFloor(4, 2, { level: 0.8 }).upper).toBe(0.5);
    expect(biasFloor(4, 2, { level: 0.9 }).upper).toBe(1);
    expect(biasFloor(3, 2).expected).toBeCloseTo((6 / 8) * (1 / 3) + 2 / 8, 12);
  });

  it("is sqrt(2 / (pi n)) for many images, 1.96 / sqrt(n) at most in 95 %", () => {
    for (const n of [100, 512, 5000]) {
      const { expected, upper } = biasFloor(n, 2);
      expect(expected * Math.sqrt(n)).toBeCloseTo(Math.sqrt(2 / Math.PI), 2);
      expect(upper * Math.sqrt(n)).toBeGreaterThan(1.85);
      expect(upper * Math.sqrt(n)).toBeLessThan(2.1);
    }
  });

  it("simulates what it would sum for two values", () => {
    // Two prompts of 1 image are always 1; of many images their mean is less spread.
    expect(biasFloor(1, 2, { prompts: 2 })).toEqual({ expected: 1, upper: 1 });
    const [one, four] = [biasFloor(60, 2), biasFloor(60, 2, { prompts: 4 })];
    expect(four.expected).toBeCloseTo(one.expected, 2);
    expect(four.upper).toBeLessThan(one.upper);
  });

  it("is the mean difference of multinomial shares for more values", () => {
    // E|X_i - X_j| of two counts of n images with 3 values: each image moves the difference by +1, -1 or 0.
    const n = 40;
    let distribution = new Map([[0, 1]]);
    for (let i = 0; i < n; i++) {
      const next = new Map<number, number>();
      for (const [at, p] of distribution)
        for (const step of [-1, 0, 1]) next.set(at + step, (next.get(at + step) ?? 0) + p / 3);
      distribution = next;
    }
    const difference = [...distribution].reduce((sum, [at, p]) => sum + Math.abs(at) * p, 0);
    expect(biasFloor(n, 3).expected).toBeCloseTo(((difference / n) * 3) / 2, 2);
    expect(biasFloor(n, 3)).toEqual(biasFloor(n, 3));
  });

  it("refuses nothing to count", () => {
    expect(() => biasFloor(0, 2)).toThrow("with 0 images");
    expect(() => biasFloor(5, 1)).toThrow("1 values");
  });
});
