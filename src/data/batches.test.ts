import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../torch/index.ts";
import { shuffledBatches, weightedBatches, type BatchState, type Batches } from "./batches.ts";

const take = (batches: Batches, count: number): number[] =>
  Array.from({ length: count }, () => [...batches.next().value]).flat();

describe("shuffledBatches", () => {
  it("hands out every index once per epoch, whatever the sizes", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer(),
        (n, size, seed) => {
          const indices = take(shuffledBatches(n, size, seed), Math.ceil((3 * n) / size));
          for (let epoch = 0; epoch < 3; epoch++)
            expect(indices.slice(epoch * n, (epoch + 1) * n).sort((a, b) => a - b)).toEqual([
              ...Array(n).keys(),
            ]);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it("changes the order between epochs and seeds, not between runs", () => {
    const first = take(shuffledBatches(50, 10, 3), 10);
    expect(take(shuffledBatches(50, 10, 3), 10)).toEqual(first);
    expect(take(shuffledBatches(50, 10, 4), 10)).not.toEqual(first);
    expect(first.slice(0, 50)).not.toEqual(first.slice(50));
  });
});

describe("weightedBatches", () => {
  it("draws in proportion to the weights and never a zero", () => {
    const counts = [0, 0, 0, 0];
    for (const index of take(weightedBatches([1, 0, 3, 0], 64, 0), 200)) counts[index]!++;
    expect(counts[1]).toBe(0);
    expect(counts[3]).toBe(0);
    expect(Math.abs(counts[2]! / 12800 - 0.75)).toBeLessThan(0.015);
  });

  it("refuses weights that are no weights", () => {
    expect(() => weightedBatches([0, 0], 4, 0)).toThrow(DataError);
    expect(() => weightedBatches([1, Number.NaN], 4, 0)).toThrow(/Weight 1 is NaN/);
    expect(() => weightedBatches([1, -1], 4, 0)).toThrow(/Weight 1 is -1/);
    expect(() => weightedBatches([], 4, 0)).toThrow(DataError);
  });
});

describe.each([
  ["shuffled", (seed: number) => shuffledBatches(23, 5, seed)],
  ["weighted", (seed: number) => weightedBatches([1, 2, 3, 4], 5, seed)],
])("a %s stream", (_, make) => {
  it("continues from its state as if never interrupted", () => {
    const whole = make(9);
    take(whole, 7);
    const state = JSON.parse(JSON.stringify(whole.state())) as BatchState;
    expect(take(make(9).restore(state), 12)).toEqual(take(whole, 12));
  });

  it("refuses the state of other settings", () => {
    expect(() => make(9).restore(make(8).state())).toThrow(/seed = 8, these have 9/);
    expect(() => make(9).restore({ ...make(9).state(), position: -1 })).toThrow(DataError);
  });
});

it("refuses empty sets and batches", () => {
  expect(() => shuffledBatches(0, 4, 0)).toThrow(/n = 0/);
  expect(() => shuffledBatches(4, 0, 0)).toThrow(/batchSize = 0/);
});
