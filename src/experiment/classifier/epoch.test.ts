import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchesPerEpoch, epochBatches } from "./epoch.ts";

const epochOf = (given: Partial<Parameters<typeof epochBatches>[0]> = {}) =>
  epochBatches({ images: 100, batchSize: 16, seed: 5, epoch: 1, flip: true, ...given });

describe("epochBatches", () => {
  it("visits every image once; no batch is a single image unless there is no other", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 2, max: 70 }), (images, batchSize) => {
        const batches = epochOf({ images, batchSize });
        const seen = batches.flatMap(({ rows }) => [...rows]);
        expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: images }, (_, i) => i));
        expect(batches).toHaveLength(batchesPerEpoch(images, batchSize));
        expect(Math.min(...batches.map(({ rows }) => rows.length))).toBeGreaterThan(1);
        expect(Math.max(...batches.map(({ rows }) => rows.length))).toBeLessThanOrEqual(batchSize + 1);
        for (const { rows, flips } of batches) expect(flips).toHaveLength(rows.length);
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  it("is another one in every epoch and for every seed, and the same again", () => {
    expect(epochOf()).toEqual(epochOf());
    expect(epochOf({ epoch: 2 })).not.toEqual(epochOf());
    expect(epochOf({ seed: 6 })).not.toEqual(epochOf());
  });

  it("mirrors about half of the images, or none", () => {
    const mirrored = (flip: boolean) =>
      epochOf({ images: 2000, flip })
        .flatMap(({ flips }) => [...flips])
        .reduce((sum, value) => sum + value, 0);
    expect(Math.abs(mirrored(true) - 1000)).toBeLessThan(100);
    expect(mirrored(false)).toBe(0);
    expect(epochOf({ flip: false }).map(({ rows }) => rows)).toEqual(epochOf().map(({ rows }) => rows));
  });
});
