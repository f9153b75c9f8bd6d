import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitShards } from "./split-shards.ts";

const sized = (...bytes: number[]) => bytes.map((count, i) => ({ key: `${i}:${count}`, bytes: count }));

describe("splitting into shards", () => {
  // Computed with huggingface_hub.split_torch_state_dict_into_shards, sizes as in its own example.
  it.each([
    [[6, 6, 2, 6, 2, 2], 10, [["0:6"], ["1:6", "2:2"], ["3:6", "4:2", "5:2"]]],
    [[2, 12, 2], 10, [["1:12"], ["0:2", "2:2"]]],
    [[5, 5, 5], 10, [["0:5", "1:5"], ["2:5"]]],
    [[3, 3], 10, [["0:3", "1:3"]]],
  ])("%j up to %d is %j, as in Python", (bytes, max, shards) => {
    expect(splitShards(sized(...bytes), max)).toEqual(shards);
  });

  it("of nothing is one empty file", () => expect(splitShards([], 10)).toEqual([[]]));

  it("places every tensor once and fills no shard beyond its size", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 40 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 25 }), (bytes, max) => {
        const tensors = sized(...bytes);
        const shards = splitShards(tensors, max);
        const sizeOf = new Map(tensors.map(({ key, bytes: count }) => [key, count]));
        expect(shards.flat().sort()).toEqual([...sizeOf.keys()].sort());
        for (const shard of shards) {
          const total = shard.reduce((sum, key) => sum + sizeOf.get(key)!, 0);
          expect(total <= max || shard.length === 1).toBe(true);
          if (tensors.length > 0) expect(shard.length).toBeGreaterThan(0);
        }
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});
