import { describe, expect, it } from "vitest";
import type { Inspection, SplitInspection } from "../data/inspect/index.ts";
import { hasFaults, inspectionText } from "./data-text.ts";

const one = (value: number) => ({ least: value, median: value, most: value });
const split: SplitInspection = {
  ...{ split: "train", kind: "metadata.jsonl", images: 1200 },
  captions: {
    ...{ with: 1199, without: 1, several: 2, distinct: 12, words: { least: 3, median: 5, most: 9 } },
    common: [
      { value: "a photo of a bird", count: 1000 },
      { value: "x".repeat(200), count: 2 },
    ],
  },
  columns: [
    ...[
      {
        name: "place",
        missing: 3,
        distinct: 2,
        values: [
          { value: "water", count: 1100 },
          { value: "land", count: 97 },
        ],
        range: null,
      },
    ],
    ...[
      {
        name: "year",
        missing: 0,
        distinct: 30,
        values: null,
        range: { least: 1990, median: 2004.5, most: 2019 },
      },
    ],
    ...[{ name: "note\u001b[2J", missing: 0, distinct: 900, values: null, range: null }],
  ],
  sizes: {
    ...{
      width: { least: 64, median: 512, most: 1024 },
      height: one(64),
      aspect: { least: 1, median: 8, most: 16 },
    },
    ...{ bytes: one(2000), totalBytes: 2_400_000 },
  },
  broken: [{ id: "b.png", problem: "cannot be read" }],
  badCaptions: [],
  duplicates: [
    { ids: ["a.png", "c.png", "d.png"], sameCaptions: true },
    { ids: ["e.png", "f.png"], sameCaptions: false },
  ],
};
const inspection: Inspection = {
  path: "data/set",
  splits: [split],
  shared: [{ splits: ["train", null], images: 1, example: "a.png" }],
};

describe("an inspection as text", () => {
  it("says what there is, and what is wrong, by name", () => {
    expect(inspectionText(inspection).split("\n")).toEqual([
      "data/set",
      "",
      "train: 1,200 pictures (metadata.jsonl)",
      "  width 64 to 1024, median 512 pixels, height 64, width : height 1 to 16, median 8",
      "  2.4 MB together, one picture 2.0 kB",
      "  captions: 12 different; 2 pictures with more than one; 1 picture WITHOUT; words 3 to 9, median 5",
      "      1,000  a photo of a bird",
      `          2  ${"x".repeat(77)}...`,
      "    ... and 10 more",
      "  columns:",
      "    place          water 1,100, land 97 (missing 3)",
      "    year           1990 to 2019, median 2005",
      "    note\\u001b[2J  900 different values",
      "  3 pictures there more than once:",
      "    a.png, c.png, d.png",
      "    e.png, f.png (with different captions)",
      "  BROKEN: 1 picture",
      "    b.png: cannot be read",
      "1 picture of train is in the whole too, such as a.png",
      "",
      "1 picture cannot be read: see above. Replace them, or leave them out.",
    ]);
    expect(hasFaults(inspection)).toBe(true);
  });

  it("is content with a whole data set, and without captions", () => {
    const captions = { ...split.captions, with: 0, without: 1200, distinct: 0, words: null, common: [] };
    const whole = { ...split, split: null, captions, broken: [], duplicates: [], columns: [] };
    const found = { ...inspection, splits: [whole], shared: [] };
    expect(inspectionText(found)).toMatch(
      /\n1,200 pictures \(metadata.jsonl\)\n.*\n.*\n {2}no captions\n\nEvery picture can be read\.$/,
    );
    expect(hasFaults(found)).toBe(false);
  });
});
