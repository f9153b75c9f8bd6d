import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError } from "../../torch/index.ts";
import { balancedWeights, countsOf, labelledSet, type LabelledRow } from "./labels.ts";

const rows = (values: readonly string[], prefix = "i"): LabelledRow[] =>
  values.map((value, i) => ({ id: `${prefix}${i}`, file: `/images/${prefix}${i}.png`, value }));
const options = { path: "set", column: "colour", seed: 3, validationShare: 0.2 };
const repeated = (counts: Readonly<Record<string, number>>): string[] =>
  Object.entries(counts).flatMap(([value, count]) => Array<string>(count).fill(value));

describe("labelledSet", () => {
  it("puts numbers in the order of their size and texts in that of their letters", () => {
    const valuesOf = (list: string[]) =>
      labelledSet({ train: rows([...list, ...list, ...list]) }, options).values;
    expect(valuesOf(["10", "9", "-1"])).toEqual(["-1", "9", "10"]);
    expect(valuesOf(["b", "Z", "a10", "a9"])).toEqual(["Z", "a10", "a9", "b"]);
    expect(valuesOf(["10", "9", "x"])).toEqual(["10", "9", "x"]);
  });

  it("keeps the splits that there are and labels each image by its value", () => {
    const set = labelledSet(
      {
        train: rows(["b", "a", "b", "b"]),
        validation: rows(["a", "b"], "v"),
        test: rows(["b"], "t"),
      },
      options,
    );
    expect(set.validationDrawn).toBe(false);
    expect([...set.train.labels]).toEqual([1, 0, 1, 1]);
    expect(set.train.files[1]).toBe("/images/i1.png");
    expect([...set.validation.labels]).toEqual([0, 1]);
    expect(set.test?.ids).toEqual(["t0"]);
    expect(countsOf(set.train, set.values)).toEqual({ a: 1, b: 3 });
    expect(balancedWeights(set.train, 2)).toEqual([2, 2 / 3]);
  });

  it("draws a missing validation split: a share of every value, nothing twice, the same by seed", () => {
    fc.assert(
      fc.property(
        fc.record({ a: fc.integer({ min: 2, max: 60 }), b: fc.integer({ min: 2, max: 60 }) }),
        fc.double({ min: 0.05, max: 0.9, noNaN: true }),
        fc.nat(),
        (counts, validationShare, seed) => {
          const all = rows(repeated(counts));
          const draw = () => labelledSet({ train: all }, { ...options, seed, validationShare });
          const { train, validation, values, validationDrawn } = draw();
          expect(validationDrawn).toBe(true);
          expect([...train.ids, ...validation.ids].sort()).toEqual(all.map(({ id }) => id).sort());
          for (const [value, count] of Object.entries(counts))
            expect(countsOf(validation, values)[value]).toBe(
              Math.min(Math.max(1, Math.round(count * validationShare)), count - 1),
            );
          expect(draw()).toEqual({
            column: "colour",
            values,
            train,
            validation,
            validationDrawn,
            test: undefined,
          });
        },
      ),
      { seed: 1, numRuns: 40 },
    );
    const all = rows(repeated({ a: 50, b: 50 }));
    const drawn = (seed: number) => labelledSet({ train: all }, { ...options, seed }).validation.ids;
    expect(drawn(1)).not.toEqual(drawn(2));
  });

  it("says when there is nothing to learn", () => {
    const refused = (given: Parameters<typeof labelledSet>[0], pattern: RegExp) => {
      expect(() => labelledSet(given, options)).toThrow(DataError);
      expect(() => labelledSet(given, options)).toThrow(pattern);
    };
    refused({ train: rows(["x", "x", "x"]) }, /"colour" is x for all 3 images of set; .* two values/);
    refused(
      { train: rows(Array.from({ length: 9 }, (_, i) => `name ${i}`)) },
      /9 values for 9 images of set \(name 0, name 1, name 2, \.\.\.\)/,
    );
    refused(
      { train: rows(["a", "b", "a", "b"]), validation: rows(["a", "c"], "v") },
      /No training image of set has "colour" "c"/,
    );
  });
});
