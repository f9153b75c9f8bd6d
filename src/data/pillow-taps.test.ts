import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Filter, pillowTaps, reversed } from "./pillow-taps.ts";

describe("pillowTaps", () => {
  it.each<[string, Filter, number, number, number[], number[]]>([
    // Weights of 1/4 and 3/4: the pixels' centres lie a quarter of a pixel off.
    ["twice as large", "bilinear", 2, 4, [0, 0, 0, 0], [1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]],
    ["half as large", "bilinear", 4, 2, [0, 1], [3 / 7, 3 / 7, 1 / 7, 1 / 7, 3 / 7, 3 / 7]],
    ["the same size", "bilinear", 3, 3, [0, 1, 1], [1, 0, 1, 0, 0, 1]],
    ["the same size", "bicubic", 4, 4, [0, 0, 0, 0], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]],
    ["one pixel", "bicubic", 1, 3, [0, 0, 0], [1, 1, 1]],
  ])("%s, %s", (_, filter, size, newSize, firsts, weights) => {
    const taps = pillowTaps(size, newSize, { from: 0, count: newSize }, filter);
    expect([...taps.firsts]).toEqual(firsts);
    expect([...taps.weights]).toEqual(weights.map((weight) => Math.round(weight * 2 ** 22)));
  });

  it("lie inside the picture, add up to one and do not depend on the part", () => {
    const sizes = fc.integer({ min: 1, max: 700 });
    fc.assert(
      fc.property(sizes, sizes, fc.constantFrom<Filter>("bilinear", "bicubic"), (size, newSize, filter) => {
        const { firsts, weights, count } = pillowTaps(size, newSize, { from: 0, count: newSize }, filter);
        let worst = 0;
        let isInside = true;
        for (let i = 0; i < newSize; i++) {
          isInside &&= firsts[i]! >= (firsts[i - 1] ?? 0) && firsts[i]! + count <= size;
          const sum = weights.subarray(i * count, (i + 1) * count).reduce((a, b) => a + b, 0);
          worst = Math.max(worst, Math.abs(sum - 2 ** 22));
        }
        expect(isInside).toBe(true);
        expect(worst).toBeLessThanOrEqual(count);
        const from = newSize >> 1;
        const part = pillowTaps(size, newSize, { from, count: newSize - from }, filter);
        const at = (taps: { firsts: Int32Array; weights: Int32Array; count: number }, i: number) =>
          Array.from(
            { length: size },
            (_, pixel) =>
              taps.weights.subarray(i * taps.count, (i + 1) * taps.count)[pixel - taps.firsts[i]!] ?? 0,
          );
        expect(at(part, 0)).toEqual(at({ firsts, weights, count }, from));
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it("are the same when they are asked for again, and when others were asked for since", () => {
    const ask = () => pillowTaps(90, 31, { from: 2, count: 9 }, "bilinear");
    const first = ask();
    const copy = structuredClone(first);
    expect(ask()).toBe(first);
    for (let size = 1; size <= 200; size++) pillowTaps(size, 31, { from: 2, count: 9 }, "bilinear");
    expect(ask()).not.toBe(first);
    expect(ask()).toEqual(copy);
  });

  it("reversed twice are the same", () => {
    const taps = pillowTaps(31, 12, { from: 2, count: 9 }, "bicubic");
    const mirrored = reversed(taps);
    expect([...mirrored.firsts]).toEqual([...taps.firsts].reverse());
    expect(mirrored.weights.subarray(0, taps.count)).toEqual(taps.weights.subarray(-taps.count));
    expect(reversed(mirrored)).toEqual(taps);
  });
});
