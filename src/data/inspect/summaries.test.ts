import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { counted, rangeOf, summarizeCaptions, summarizeColumn } from "./summaries.ts";

describe("rangeOf", () => {
  it("is least, middle and most, of however many numbers", () => {
    expect(rangeOf([])).toBeNull();
    expect(rangeOf([3, 1, 2])).toEqual({ least: 1, median: 2, most: 3 });
    expect(rangeOf([10, 9, 2, 1])).toEqual({ least: 1, median: 5.5, most: 10 });
    const many = Array.from({ length: 300_000 }, (_, i) => i);
    expect(rangeOf(many)).toEqual({ least: 0, median: 149_999.5, most: 299_999 });
  });
});

describe("counted", () => {
  it("adds up to what it was given, commonest first", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c", "__proto__", "")), (values) => {
        const counts = counted(values);
        expect(counts.flatMap(({ value, count }) => new Array<string>(count).fill(value)).sort()).toEqual(
          [...values].sort(),
        );
        counts.slice(1).forEach(({ count }, i) => expect(counts[i]!.count).toBeGreaterThanOrEqual(count));
      }),
      { seed: 3 },
    );
  });
});

describe("summarizeColumn", () => {
  it("gives categories where there are few values, and ranges where all are numbers", () => {
    expect(summarizeColumn("x", ["b", "a", "b", null, undefined, ""])).toEqual({
      ...{ name: "x", missing: 3, distinct: 2, range: null },
      values: [
        { value: "b", count: 2 },
        { value: "a", count: 1 },
      ],
    });
    const years = Array.from({ length: 30 }, (_, i) => String(1990 + i));
    expect(summarizeColumn("x", years)).toEqual({
      ...{ name: "x", missing: 0, distinct: 30, values: null },
      range: { least: 1990, median: 2004.5, most: 2019 },
    });
    expect(summarizeColumn("x", [...years, "unknown"])).toMatchObject({
      values: null,
      range: null,
      distinct: 31,
    });
    expect(summarizeColumn("x", [true, false, true]).values).toEqual([
      { value: "true", count: 2 },
      { value: "false", count: 1 },
    ]);
    expect(summarizeColumn("x", [])).toMatchObject({ missing: 0, distinct: 0, range: null });
  });
});

describe("summarizeCaptions", () => {
  it("counts a picture once for each of its captions", () => {
    expect(summarizeCaptions([["a", "a"], ["a", "b c"], []])).toEqual({
      ...{ with: 2, without: 1, several: 2, distinct: 2, words: { least: 1, median: 1, most: 2 } },
      common: [
        { value: "a", count: 2 },
        { value: "b c", count: 1 },
      ],
    });
    expect(summarizeCaptions([[]])).toMatchObject({ with: 0, without: 1, words: null, common: [] });
  });
});
