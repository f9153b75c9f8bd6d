import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupDifferences } from "./differences.ts";
import { HypergeometricTail } from "./hypergeometric.ts";

/** Rows 0..count-1. */
const rowsOf = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i);

describe("HypergeometricTail", () => {
  it("is the lady tasting tea: four of four cups right by chance in 1 of 70 times", () => {
    const tail = new HypergeometricTail(8);
    expect(tail.atLeast(4, { drawn: 4, marked: 4 })).toBeCloseTo(1 / 70, 14);
    expect(tail.atLeast(3, { drawn: 4, marked: 4 })).toBeCloseTo(17 / 70, 14);
    expect(tail.atLeast(0, { drawn: 4, marked: 4 })).toBeCloseTo(1, 14);
    expect(tail.atLeast(5, { drawn: 4, marked: 4 })).toBe(0);
  });

  it("equals the sum over all choices, counted one by one", () => {
    const choose = (n: number, k: number): number =>
      k < 0 || k > n ? 0 : k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k;
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 30 })
          .chain((total) =>
            fc.tuple(
              fc.constant(total),
              fc.integer({ min: 0, max: total }),
              fc.integer({ min: 0, max: total }),
              fc.integer({ min: 0, max: total }),
            ),
          ),
        ([total, drawn, marked, hits]) => {
          let sum = 0;
          for (let x = hits; x <= Math.min(drawn, marked); x++)
            sum += choose(marked, x) * choose(total - marked, drawn - x);
          const tail = new HypergeometricTail(total).atLeast(hits, { drawn, marked });
          expect(tail).toBeCloseTo(sum / choose(total, drawn), 10);
        },
      ),
      { seed: 5, numRuns: 300 },
    );
  });
});

describe("groupDifferences", () => {
  it("gives share, overall share, lift and the corrected p-value of a value in closed form", () => {
    // 8 images, the first four in group 0; the column agrees with the group.
    const metadata = rowsOf(8).map((row) => ({ place: row < 4 ? "land" : "water" }));
    const found = groupDifferences([rowsOf(4), rowsOf(4, 4)], { metadata }, { maxPValue: 1 });
    // Two values in two groups were tried: four tests of 1/70 each.
    expect(found).toEqual([
      [
        {
          kind: "column",
          column: "place",
          value: "land",
          share: 1,
          overall: 0.5,
          lift: 2,
          pValue: expect.closeTo(4 / 70, 12) as number,
        },
      ],
      [
        {
          kind: "column",
          column: "place",
          value: "water",
          share: 1,
          overall: 0.5,
          lift: 2,
          pValue: expect.closeTo(4 / 70, 12) as number,
        },
      ],
    ]);
    expect(groupDifferences([rowsOf(4), rowsOf(4, 4)], { metadata })).toEqual([[], []]);
  });

  it("sorts by how much a value tells, not by its lift", () => {
    // "rare" occurs in 10 of 100 images of the group and nowhere else (lift 2); "most" in all of them and half of the others.
    const metadata = rowsOf(200).map((row) => ({
      rare: row < 10,
      most: row < 100 || row % 2 === 0,
    }));
    const [first] = groupDifferences([rowsOf(100), rowsOf(100, 100)], { metadata });
    expect(first!.map(({ column, value }) => `${column} ${value}`)).toEqual(["most true", "rare true"]);
    expect(first![0]!.lift).toBeCloseTo(4 / 3, 12);
    expect(first![1]!.lift).toBeCloseTo(2, 12);
  });

  it("cuts numbers into terciles and names them by their ends; few distinct numbers stay as they are", () => {
    const metadata = rowsOf(90).map((row) => ({ brightness: row * 0.5, sex: row % 2 === 0 ? 1 : -1 }));
    const groups = [rowsOf(30, 60), rowsOf(60)];
    const [bright, dark] = groupDifferences(groups, { metadata });
    expect(bright).toHaveLength(1);
    expect(bright![0]).toMatchObject({ column: "brightness", value: "30 to 44.5", share: 1, overall: 1 / 3 });
    expect(dark!.map(({ value, share }) => [value, share])).toEqual([
      ["0 to 14.5", 0.5],
      ["15 to 29.5", 0.5],
    ]);
    const even = rowsOf(90).filter((row) => row % 2 === 0);
    const odd = rowsOf(90).filter((row) => row % 2 === 1);
    expect(groupDifferences([even, odd], { metadata }).map(([found]) => found?.value)).toEqual(["1", "-1"]);
  });

  it("finds captions and words, and says nothing twice", () => {
    const captions = rowsOf(60).map((row) =>
      row < 20 ? "A doctor, smiling" : row < 40 ? "a nurse" : ["a nurse", "smiling"],
    );
    const [first, second] = groupDifferences([rowsOf(20), rowsOf(40, 20)], { captions });
    const names = (found: typeof first) => found!.map(({ kind, value }) => `${kind} ${value}`);
    // "doctor" stands in exactly the images of the caption; "smiling" in others too.
    expect(names(first)).toEqual(["caption A doctor, smiling", "word smiling"]);
    expect(first![1]).toMatchObject({ share: 1, overall: 40 / 60 });
    expect(names(second)).toEqual(["caption a nurse", "caption smiling"]);
  });

  it("takes a missing value for a value, leaves out what says nothing, and keeps to the limit", () => {
    const metadata = rowsOf(100).map((row) => ({
      id: `${row}.png`,
      constant: "same",
      list: [row],
      ...(row < 50 ? {} : { comment: row % 2 === 0 ? "x" : "y" }),
      ...Object.fromEntries(rowsOf(9).map((c) => [`c${c}`, row < 50])),
    }));
    const [first] = groupDifferences([rowsOf(50), rowsOf(50, 50)], { metadata });
    expect(first).toHaveLength(6);
    expect(first!.map(({ column }) => column)).not.toContain("id");
    const all = groupDifferences([rowsOf(50), rowsOf(50, 50)], { metadata }, { limit: 99 })[0]!;
    expect(all.map(({ column }) => column)).not.toContain("constant");
    expect(all.map(({ column }) => column)).not.toContain("list");
    expect(all.find(({ column }) => column === "comment")).toMatchObject({
      value: "(no value)",
      share: 1,
      lift: 2,
    });
  });

  it("finds nothing in chance: at most one of a hundred random data sets has a difference", () => {
    let found = 0;
    let state = 12345;
    const random = (): number => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
    for (let trial = 0; trial < 100; trial++) {
      const metadata = rowsOf(200).map(() => ({
        a: random() < 0.3,
        b: Math.floor(random() * 4),
        c: random(),
      }));
      const members = rowsOf(200).map(() => random() < 0.25);
      const groups = [true, false].map((value) => rowsOf(200).filter((row) => members[row] === value));
      if (groupDifferences(groups, { metadata }).some((group) => group.length > 0)) found++;
    }
    // The level is 0.01 for all tests of a data set together.
    expect(found).toBeLessThanOrEqual(3);
  });

  it("bears empty groups, one group, no images and nothing known", () => {
    const metadata = rowsOf(10).map((row) => ({ even: row % 2 === 0 }));
    expect(groupDifferences([rowsOf(10), []], { metadata }, { maxPValue: 1 })).toEqual([[], []]);
    expect(groupDifferences([rowsOf(10)], { metadata }, { maxPValue: 1 })).toEqual([[]]);
    expect(groupDifferences([[], []], {})).toEqual([[], []]);
    expect(groupDifferences([], { metadata })).toEqual([]);
  });
});
