import { describe, expect, it } from "vitest";
import { Random } from "./random.ts";

describe("Random", () => {
  it("gives the same sequence for the same keys and another for others", () => {
    const take = (random: Random): number[] => Array.from({ length: 8 }, () => random.next());
    expect(take(new Random("a", 1))).toEqual(take(new Random("a", 1)));
    expect(take(new Random("a", 1))).not.toEqual(take(new Random("a", 2)));
    expect(take(new Random("a", 1))).not.toEqual(take(new Random("a1")));
    expect(take(new Random("pinned", 0)).slice(0, 3)).toMatchInlineSnapshot(`
      [
        3910929270,
        173039422,
        2152351444,
      ]
    `);
  });

  it("has the moments of its distributions", () => {
    const random = new Random("moments");
    const n = 40_000;
    const moments = (draw: () => number): [number, number] => {
      const values = Array.from({ length: n }, draw);
      const mean = values.reduce((a, b) => a + b) / n;
      return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0) / n];
    };
    const [mean, variance] = moments(() => random.uniform(2, 4));
    expect(mean).toBeCloseTo(3, 1);
    expect(variance).toBeCloseTo(1 / 3, 1);
    const normal = moments(() => random.normal(1, 2));
    expect(Math.abs(normal[0] - 1)).toBeLessThan(0.05);
    expect(Math.abs(normal[1] - 4)).toBeLessThan(0.15);
    const counts = [0, 0, 0];
    for (let i = 0; i < 3000; i++) counts[random.int(3)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });

  it("shuffles without loss and continues from a state", () => {
    const random = new Random(7);
    expect(random.shuffle([1, 2, 3, 4, 5, 6]).toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
    const state = random.state();
    const first = random.next();
    expect(new Random(0).restore(state).next()).toBe(first);
    expect(() => random.choice([])).toThrow(/empty list/);
  });
});
