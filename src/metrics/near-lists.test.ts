import { describe, expect, it } from "vitest";
import { Generator, randn, scope, tensor } from "../torch/index.ts";
import { densityCoverage } from "./density-coverage.ts";
import { halvesOf } from "./halves.ts";
import { coveredByHalf, nearestFakes, recalledByHalf, recallLists } from "./near-lists.ts";
import { neighbourRadii } from "./neighbours.ts";
import { improvedPrecisionRecall } from "./precision-recall.ts";

const normal = (rows: number, columns: number, seed = 0) =>
  randn([rows, columns], { generator: new Generator().manualSeed(seed), dtype: "float64" });

describe("near lists", () => {
  it.each([
    [30, 20, 1],
    [90, 200, 3],
    [700, 600, 5],
  ])("have the recall and coverage of any half: %d and %d images, k = %d", (n, m, k) => {
    scope(() => {
      const [x, y] = [normal(n, 5), normal(m, 5, 1).mul(0.8).add(0.3)];
      const lists = recallLists(x, y, k);
      const near = nearestFakes(x, y, neighbourRadii(x, k));
      const halves = halvesOf([m], { atLeast: k + 1, seed: 2 });
      for (let r = 0; r < 5; r++) {
        const chosen = halves.draw();
        const rows = Int32Array.from(chosen.keys()).filter((row) => chosen[row]);
        const half = y.indexSelect(0, tensor(rows));
        expect(recalledByHalf(lists, chosen)).toBe(
          improvedPrecisionRecall(x, half, { neighbours: k }).recall,
        );
        expect(coveredByHalf(near, chosen)).toBe(densityCoverage(x, half, { neighbours: k }).coverage);
      }
    });
  });

  it("are the whole's recall and radii when all images are chosen", () => {
    scope(() => {
      const [x, y] = [normal(50, 3), normal(60, 3, 1)];
      const lists = recallLists(x, y, 3);
      expect([...lists.radii]).toEqual([...neighbourRadii(y, 3)]);
      const all = new Uint8Array(60).fill(1);
      expect(recalledByHalf(lists, all)).toBe(improvedPrecisionRecall(x, y).recall);
    });
  });
});

describe("halvesOf", () => {
  it("draws half of every prompt, without replacement", () => {
    const halves = halvesOf([10, 7, 1], { atLeast: 2, seed: 0 });
    const seen = new Set<string>();
    for (let r = 0; r < 20; r++) {
      const chosen = halves.draw();
      const count = (from: number, to: number) =>
        chosen.subarray(from, to).reduce((sum, own) => sum + own, 0);
      expect([count(0, 10), count(10, 17), count(17, 18)]).toEqual([5, 3, 1]);
      seen.add(chosen.join(""));
    }
    expect(seen.size).toBeGreaterThan(15);
    expect(halves.scale).toBeCloseTo(Math.sqrt(9 / 9), 12);
  });

  it("draws more than half where the neighbours need it", () => {
    expect(
      halvesOf([6], { atLeast: 5, seed: 0 })
        .draw()
        .reduce((sum, own) => sum + own, 0),
    ).toBe(5);
    expect(halvesOf([6], { atLeast: 5, seed: 0 }).scale).toBeCloseTo(Math.sqrt(5), 12);
    expect(() => halvesOf([5], { atLeast: 5, seed: 0 })).toThrow("5 images");
  });
});
