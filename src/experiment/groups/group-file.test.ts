import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { settledTensorCount } from "../../../test/settled.ts";
import { readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { CheckpointError, DataError, scope, tensor, tensorCount, UserError } from "../../torch/index.ts";
import {
  alignGroups,
  loadGroups,
  readGroupFile,
  saveGroups,
  type StoredGroups,
  writeGroupFile,
} from "./group-file.ts";
import { hardGroups } from "./hard-groups.ts";
import { groupHistograms } from "./histograms.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "groups-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const IDS = ["a/1.png", "2.png", "drei.png", "4.png"];
const groups: StoredGroups = {
  ...{ method: "by hand", count: 2, found: true, ids: IDS, sizes: [1.75, 2.25] },
  weights: Float32Array.from([1, 0, 0.5, 0.5, 0.25, 0.75, 0, 1]),
  scores: Float32Array.from([-2, 0, 1, 3]),
};
/** Somebody else's file: weights of some dtype, and a JSON with nothing but ids. */
const writeForeign = (
  rows: number[][],
  ids: unknown = IDS,
  dtype: "float32" | "float16" | "int64" = "float32",
) => {
  scope(() => {
    const weights = tensor(rows.flat(), { shape: [rows.length, rows[0]!.length], dtype });
    writeSafetensors(join(dir, "mine.safetensors"), { weights });
  });
  writeFileSync(join(dir, "mine.json"), JSON.stringify({ ids }));
  return join(dir, "mine.safetensors");
};

describe("group files", () => {
  it("give back what was saved, and leave no tensor behind", () => {
    const before = settledTensorCount();
    saveGroups(dir, groups);
    expect(loadGroups(dir)).toEqual(groups);
    expect(tensorCount()).toBe(before);
  });

  it("hold the weights and scores, and the ids in the JSON", () => {
    saveGroups(dir, groups);
    const tensors = readSafetensors(join(dir, "groups.safetensors"));
    expect(tensors.get("weights")!.shape).toEqual([4, 2]);
    expect(tensors.get("scores")!.toNumbers()).toEqual([-2, 0, 1, 3]);
    expect(JSON.parse(readFileSync(join(dir, "groups.json"), "utf8"))).toEqual({
      ...{ method: "by hand", count: 2, found: true, ids: IDS, sizes: [1.75, 2.25] },
    });
  });

  it.each(["float32", "float16", "int64"] as const)("of others need ids alone: %s weights", (dtype) => {
    const read = readGroupFile(
      writeForeign(
        [
          [1, 3, 0],
          [0, 2, 2],
          [1, 0, 0],
          [0, 0, 5],
        ],
        IDS,
        dtype,
      ),
    );
    expect(read).toMatchObject({ count: 3, found: true, ids: IDS, sizes: [1.25, 1.25, 1.5] });
    expect([...read.weights]).toEqual([0.25, 0.75, 0, 0, 0.5, 0.5, 1, 0, 0, 0, 0, 1]);
    expect(read.scores).toBeUndefined();
  });

  it("of one group say that there is no second", () => {
    expect(readGroupFile(writeForeign([[1], [1], [2], [1]]))).toMatchObject({ count: 1, found: false });
  });

  it("bring every row to a sum of one, whatever its scale", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.float({ min: 0, max: 1000, noNaN: true }), { minLength: 3, maxLength: 3 }), {
          minLength: 1,
          maxLength: 8,
        }),
        (rows) => {
          const usable = rows.filter((row) => row.some((weight) => weight > 1e-30));
          fc.pre(usable.length > 0);
          const ids = usable.map((_, i) => `${i}`);
          const { weights } = readGroupFile(writeForeign(usable, ids));
          usable.forEach((row, i) => {
            const sum = row.reduce((a, b) => a + b, 0);
            row.forEach((weight, g) => expect(weights[3 * i + g]).toBeCloseTo(weight / sum, 5));
          });
        },
      ),
      { numRuns: 40, seed: 1 },
    );
  });

  it.each([
    ["negative", [-0.5, 1.5]],
    ["not finite", [Infinity, 1]],
    ["all zero", [0, 0]],
  ])("are refused with weights that are %s", (_, row) => {
    const path = writeForeign([[1, 0], [0, 1], row, [1, 0]]);
    expect(() => readGroupFile(path)).toThrow(DataError);
    expect(() => readGroupFile(path)).toThrow(/mine\.safetensors has no group weights for "drei\.png"/);
  });

  it.each([
    ["no ids", {}, /mine\.json: a list of item ids; expected \{"ids"/],
    ["ids of another kind", [1, 2, 3, 4], /expected \{"ids"/],
    ["too few ids", ["a", "b", "c"], /weights of shape \[4, 2\]; expected weights \[3, groups\]/],
    ["an id twice", ["a", "b", "a", "d"], /has ids twice: "a"/],
  ])("are refused with %s", (_, ids, message) => {
    const path = writeForeign(
      [
        [1, 0],
        [0, 1],
        [0, 1],
        [1, 0],
      ],
      ids,
    );
    expect(() => readGroupFile(path)).toThrow(CheckpointError);
    expect(() => readGroupFile(path)).toThrow(message);
  });

  it("are refused without weights, with scores of another length, and under other names", () => {
    saveGroups(dir, groups);
    const path = join(dir, "groups.safetensors");
    scope(() => writeSafetensors(path, { groups: tensor([1, 2]) }));
    expect(() => loadGroups(dir)).toThrow(/no weights, but "groups"; expected weights \[4, groups\]/);
    scope(() =>
      writeSafetensors(path, { weights: tensor(groups.weights, { shape: [4, 2] }), scores: tensor([1]) }),
    );
    expect(() => loadGroups(dir)).toThrow(/scores of shape \[1\]; expected \[4\]/);
    rmSync(join(dir, "groups.json"));
    expect(() => loadGroups(dir)).toThrow(/groups\.json does not exist/);
    expect(() => readGroupFile(join(dir, "groups.csv"))).toThrow(/expected NAME\.safetensors/);
  });
});

describe("alignGroups", () => {
  const many = Array.from({ length: 20 }, (_, i) => `${i}.png`);
  const wide: StoredGroups = {
    ...{ method: "", count: 2, found: true, sizes: [], ids: many },
    weights: Float32Array.from(many.flatMap((_, i) => [i / 20, 1 - i / 20])),
    scores: Float32Array.from(many, (_, i) => i),
  };

  it("gives the rows of any ids in their order, from a file too", () => {
    writeGroupFile(join(dir, "wide.safetensors"), wide);
    const read = readGroupFile(join(dir, "wide.safetensors"));
    fc.assert(
      fc.property(fc.shuffledSubarray(many, { minLength: 1 }), (ids) => {
        const aligned = alignGroups(read, ids, "it");
        const rows = ids.map((id) => many.indexOf(id));
        expect(aligned.ids).toEqual(ids);
        expect([...aligned.scores!]).toEqual(rows);
        expect(aligned.weights).toEqual(Float32Array.from(rows.flatMap((i) => [i / 20, 1 - i / 20])));
        expect(aligned.sizes[0]).toBeCloseTo(
          rows.reduce((sum, i) => sum + i / 20, 0),
          5,
        );
      }),
      { numRuns: 50, seed: 2 },
    );
  });

  it("lists exactly the ids without a row, and the rows that no image asks for", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(many, { minLength: 13, maxLength: 19 }), (kept) => {
        const part = alignGroups(wide, kept, "part");
        const lost = many.filter((id) => !kept.includes(id));
        const given = { ...part, ids: part.ids.map((id, i) => (i === 0 ? "stranger.png" : id)) };
        const absent = many.filter((id) => lost.includes(id) || id === kept[0]);
        const message = `it.safetensors has no row for ${absent.length} of 20 images: ${absent.map((id) => `"${id}"`).join(", ")}. It has rows for ids that are no images here: "stranger.png".`;
        expect(() => alignGroups(given, many, "it.safetensors")).toThrow(DataError);
        expect(() => alignGroups(given, many, "it.safetensors")).toThrow(message);
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  it("does not list thousands", () => {
    const ids = Array.from({ length: 5000 }, (_, i) => `${i}`);
    expect(() => alignGroups(groups, ids, "it")).toThrow(/"7" and 4992 more\. It has rows .*"4\.png"\./);
  });
});

describe("a damaged file", () => {
  it.each(["groups.safetensors", "groups.json"])("%s is told or does no harm", (name) => {
    saveGroups(dir, groups);
    const path = join(dir, name);
    const bytes = readFileSync(path);
    const damages = fc.oneof(
      fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= bits;
        return damaged;
      }),
      fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
      fc.uint8Array({ maxLength: 40 }).map((more) => Buffer.concat([bytes, more])),
    );
    fc.assert(
      fc.property(damages, (damaged) => {
        writeFileSync(path, damaged);
        let read: StoredGroups;
        try {
          read = loadGroups(dir, IDS);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as Error).message).toContain("groups.");
          return;
        }
        expect(read.weights).toHaveLength(4 * read.count);
        for (let row = 0; row < 4; row++) {
          const own = read.weights.subarray(row * read.count, (row + 1) * read.count);
          expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
        }
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});

describe("hardGroups", () => {
  it("makes a group of each value, in the order of the alphabet or of numbers", () => {
    const { labels, weights, count } = hardGroups(["a", "b", "c"], ["water", "land", "water"]);
    expect({ labels, count }).toEqual({ labels: ["land", "water"], count: 2 });
    expect([...weights]).toEqual([0, 1, 1, 0, 0, 1]);
    expect(hardGroups(["a", "b", "c"], [10, 9, "10"]).labels).toEqual(["9", "10"]);
    expect(hardGroups(["a", "b", "c"], [10, 9, "x"]).labels).toEqual(["10", "9", "x"]);
  });

  it.each([2, 4, 8, 64])("of %d values give every image to one group", (count) => {
    const ids = Array.from({ length: 3 * count }, (_, i) => `${i}`);
    const groups = hardGroups(
      ids,
      ids.map((_, i) => (7 * i) % count),
    );
    expect(groups.count).toBe(count);
    ids.forEach((_, i) => {
      const own = groups.weights.subarray(i * count, (i + 1) * count);
      expect(own[(7 * i) % count]).toBe(1);
      expect(own.reduce((a, b) => a + b, 0)).toBe(1);
    });
  });

  it("refuses one value, and one for each image", () => {
    const ids = Array.from({ length: 65 }, (_, i) => `${i}`);
    expect(() => hardGroups(["a"], ["land"], { name: 'Column "place"' })).toThrow(
      /^Column "place" has one value among 1 images: "land"\. Expected 2 to 64/,
    );
    expect(() => hardGroups(ids, ids)).toThrow(/has 65 different values among 65 images/);
  });
});

describe("groupHistograms", () => {
  it("sorts scores by the likeliest group and losses by column", () => {
    const columns = [
      { timestep: 850, noise: 0, contrast: false },
      { timestep: 850, noise: 1, contrast: true },
    ];
    const losses = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const values = groupHistograms(groups, { losses, columns });
    expect(Object.fromEntries([...values].map(([name, own]) => [name, [...own]]))).toEqual({
      "groups/score": [-2, 0, 1, 3],
      "groups/score 0": [-2, 0],
      "groups/score 1": [1, 3],
      "groups/loss 850": [1, 3, 5, 7],
      "groups/loss 850, noise 1, contrast": [2, 4, 6, 8],
    });
  });
});
