import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, DataError } from "../../torch/errors.ts";
import { largestCounts, parseRatio, ratioText } from "./ratio.ts";

const groups = ["a", "b", "c", "d"];

describe("parseRatio", () => {
  it.each([
    ["1:2:2:1", [1, 2, 2, 1]],
    ["1_8_8_8", [1, 8, 8, 8]],
    [" 1, 4, 4, 1 ", [1, 4, 4, 1]],
    ["1221", [1, 2, 2, 1]],
    ["2:4:4:2", [1, 2, 2, 1]],
    ["0:3:3:0", [0, 1, 1, 0]],
    ["10:20:30:40", [1, 2, 3, 4]],
    ["Balanced", [1, 1, 1, 1]],
    ["as-is", undefined],
  ])("reads %s", (text, ratio) => {
    expect(parseRatio(text, groups)).toEqual(ratio);
  });

  it.each(["1:2:2", "1:2:2:1:1", "12", "0:0:0:0", "1:2:x:1", "1:-2:2:1", "1.5:1:1:1", "", "even", "1::2:1"])(
    "refuses %j, naming the groups",
    (text) => {
      expect(() => parseRatio(text, groups)).toThrow(ConfigError);
      expect(() => parseRatio(text, groups)).toThrow(/4 whole numbers such as 1:2:1:2 for a; b; c; d/);
    },
  );

  it("reads what it writes", () => {
    const parts = fc.array(fc.nat(40), { minLength: 4, maxLength: 4 }).filter((p) => p.some((n) => n > 0));
    fc.assert(
      fc.property(parts, (numbers) => {
        const ratio = parseRatio(numbers.join(":"), groups)!;
        expect(parseRatio(ratioText(ratio), groups)).toEqual(ratio);
        // The same proportions, in lowest terms.
        const [sum, whole] = [ratio, numbers].map((list) => list.reduce((a, b) => a + b, 0));
        numbers.forEach((n, i) => expect(n * sum!).toBe(ratio[i]! * whole!));
      }),
      { seed: 5 },
    );
  });
});

describe("largestCounts", () => {
  it("takes the largest set that the scarcest group allows", () => {
    // The training part of CelebA: blond men, blond women, other men, other women.
    const celeba = [1387, 22880, 66874, 71629];
    const counts = (ratio: number[], limit?: number) =>
      largestCounts(celeba, ratio, { groups, limit, split: "train" });
    expect(counts([1, 2, 2, 1])).toEqual([1387, 2774, 2774, 1387]);
    expect(counts([1, 8, 8, 8])).toEqual([1387, 11096, 11096, 11096]);
    expect(counts([1, 2, 2, 1], 1000)).toEqual([166, 332, 332, 166]);
    expect(counts([0, 1, 1, 0])).toEqual([0, 22880, 22880, 0]);
  });

  it("has exactly the ratio, fits, and could not be larger", () => {
    const part = fc.record({ available: fc.nat(200), ratio: fc.nat(5) });
    const cells = fc.array(part, { minLength: 1, maxLength: 8 }).filter((c) => c.some((p) => p.ratio > 0));
    fc.assert(
      fc.property(cells, fc.option(fc.nat({ max: 400 }), { nil: undefined }), (list, limit) => {
        const available = list.map((cell) => cell.available);
        const ratio = list.map((cell) => cell.ratio);
        const sum = ratio.reduce((a, b) => a + b, 0);
        const fits = (multiple: number): boolean =>
          ratio.every((r, i) => r * multiple <= available[i]!) && multiple * sum <= (limit ?? Infinity);
        const make = () =>
          largestCounts(available, ratio, { groups: list.map((_, i) => `g${i}`), limit, split: "train" });
        if (!fits(1)) {
          expect(make).toThrow();
          return;
        }
        const counts = make();
        const multiple = counts.reduce((a, b) => a + b, 0) / sum;
        expect(counts).toEqual(ratio.map((r) => r * multiple));
        expect([fits(multiple), fits(multiple + 1)]).toEqual([true, false]);
      }),
      { seed: 6 },
    );
  });

  it("names every group with too few images", () => {
    const make = () => largestCounts([0, 5, 1, 9], [1, 2, 2, 1], { groups, split: "validation" });
    expect(make).toThrow(DataError);
    expect(make).toThrow(
      /1:2:2:1 cannot be built for validation: too few images of a \(needs 1, has 0\); c \(needs 2, has 1\)\./,
    );
  });

  it("refuses a size below one multiple of the ratio", () => {
    const make = () => largestCounts([9, 9, 9, 9], [1, 2, 2, 1], { groups, limit: 5, split: "train" });
    expect(make).toThrow(/5 images were asked for in train; the ratio 1:2:2:1 needs at least 6/);
  });
});
