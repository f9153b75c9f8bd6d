import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError } from "../torch/index.ts";
import { readEvaluationColumns } from "./evaluation-columns.ts";
import { drawItems, openImageFolder } from "./image-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "image-folder-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Writes metadata.jsonl and an empty file for each picture named in `files`. */
function fill(
  lines: readonly (string | object)[],
  files: readonly string[] = ["a.png", "b.png"],
  under = "",
): void {
  const at = join(folder, under);
  mkdirSync(at, { recursive: true });
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  writeFileSync(join(at, "metadata.jsonl"), text);
  for (const file of files) writeFileSync(join(at, file), "");
}

const a = { file_name: "a.png", text: "a bird", place: "water", year: 2020 };
const b = { file_name: "b.png", text: "a bee", place: "land", year: 2021 };

describe("openImageFolder", () => {
  it("gives id, file and caption, and nothing of the further columns", () => {
    fill([a, "", b, ""]);
    expect(openImageFolder(folder)).toEqual({
      items: [
        { id: "a.png", file: join(folder, "a.png"), captions: ["a bird"], caption: "a bird" },
        { id: "b.png", file: join(folder, "b.png"), captions: ["a bee"], caption: "a bee" },
      ],
    });
  });

  it("tolerates a byte order mark and Windows line ends", () => {
    fill([`\uFEFF${JSON.stringify(a)}\r`, `${JSON.stringify(b)}\r`]);
    expect(openImageFolder(folder).items).toHaveLength(2);
  });

  it("takes the caption from caption, or from the column asked for", () => {
    fill([{ file_name: "a.png", caption: "one", title: "two" }]);
    expect(openImageFolder(folder).items[0]?.caption).toBe("one");
    expect(openImageFolder(folder, { captionColumn: "title" }).items[0]?.caption).toBe("two");
  });

  it("takes several captions of a picture, the first as its caption", () => {
    fill([{ ...a, text: ["a bird", "a gull"] }, b]);
    expect(openImageFolder(folder).items.map(({ captions, caption }) => ({ captions, caption }))).toEqual([
      { captions: ["a bird", "a gull"], caption: "a bird" },
      { captions: ["a bee"], caption: "a bee" },
    ]);
  });

  it("finds train/ by itself and other splits by name", () => {
    fill([a], ["a.png"], "train");
    fill([b], ["b.png"], "validation");
    expect(openImageFolder(folder).items[0]?.file).toBe(join(folder, "train", "a.png"));
    expect(openImageFolder(folder, { split: "validation" }).items[0]?.id).toBe("b.png");
    expect(() => openImageFolder(folder, { split: "test" })).toThrow(
      /has no split "test". It has: train, validation/,
    );
  });

  const cases: [string, () => void, RegExp][] = [
    ["broken JSON", () => fill([a, "{oops"]), /metadata.jsonl, line 2 is not valid JSON/],
    ["a line that is no object", () => fill([a, "3"]), /line 2 is not a JSON object/],
    ["no file name", () => fill([a, { text: "x" }]), /line 2 has no "file_name"/],
    ["no caption", () => fill([a, { file_name: "b.png" }]), /line 2: "b.png" has no caption/],
    [
      "a caption that is no text",
      () => fill([{ file_name: "a.png", text: 3 }]),
      /line 1: the caption of "a.png" is not/,
    ],
    [
      "an empty caption",
      () => fill([a, { file_name: "b.png", text: " " }]),
      /line 2: the caption of "b.png" is empty/,
    ],
    [
      "an empty list of captions",
      () => fill([a, { ...b, text: [] }]),
      /line 2: the list of captions of "b.png" is empty. Expected at least one under "text"/,
    ],
    [
      "a caption in a list that is no text",
      () => fill([{ ...a, text: ["one", 3] }]),
      /line 1: caption 2 of "a.png" is not text/,
    ],
    [
      "a blank caption in a list",
      () => fill([{ ...a, text: ["\t", "two"] }]),
      /line 1: caption 1 of "a.png" is empty/,
    ],
    [
      "a name above the folder",
      () => fill([{ ...a, file_name: "../a.png" }]),
      /line 1: file_name "..\/a.png" leads out/,
    ],
    ["an absolute name", () => fill([{ ...a, file_name: "/etc/hostname" }]), /leads out of/],
    ["the folder itself", () => fill([{ ...a, file_name: "." }]), /leads out of/],
    ["a missing picture", () => fill([a, b], ["a.png"]), /line 2: there is no image file .*b.png/],
    [
      "a doubled picture",
      () => fill([a, b, { ...a, file_name: "./a.png" }]),
      /line 3: ".\/a.png" was listed before \(line 1\)/,
    ],
    ["no pictures", () => fill([""]), /lists no pictures/],
    [
      "no metadata",
      () => undefined,
      /There are no pictures in .*Expected pictures with a metadata.jsonl \(one JSON object per line, such as \{"file_name"/,
    ],
  ];
  it.each(cases)("reports %s", (_, prepare, message) => {
    prepare();
    expect(() => openImageFolder(folder)).toThrow(DataError);
    expect(() => openImageFolder(folder)).toThrow(message);
  });

  it("reports a missing folder, a file for a folder, and metadata that cannot be read", () => {
    expect(() => openImageFolder(join(folder, "none"))).toThrow(/There is no folder/);
    writeFileSync(join(folder, "file"), "");
    expect(() => openImageFolder(join(folder, "file"))).toThrow(/is not a folder/);
    mkdirSync(join(folder, "metadata.jsonl"));
    expect(() => openImageFolder(folder)).toThrow(/cannot be read/);
  });
});

describe("drawItems", () => {
  const items = Array.from({ length: 50 }, (_, i) => i);

  it("draws by the seed, keeps the order, and takes all when there are no more", () => {
    const drawn = drawItems(items, 20, 7);
    expect(new Set(drawn).size).toBe(20);
    expect([...drawn].sort((x, y) => x - y)).toEqual(drawn);
    expect(drawItems(items, 20, 7)).toEqual(drawn);
    expect(drawItems(items, 20, 8)).not.toEqual(drawn);
    expect(drawItems(items, 50, 7)).toEqual(items);
    expect(drawItems(items, 900, 7)).toEqual(items);
  });

  it("draws every item equally often", () => {
    const counts = items.map(() => 0);
    for (let seed = 0; seed < 2000; seed++) for (const i of drawItems(items, 10, seed)) counts[i]!++;
    // Binomial with mean 400 and deviation 17.9.
    expect(Math.min(...counts)).toBeGreaterThan(400 - 4.5 * 17.9);
    expect(Math.max(...counts)).toBeLessThan(400 + 4.5 * 17.9);
  });

  it.each([0, -1, 2.5, NaN])("refuses a count of %s", (count) => {
    expect(() => drawItems(items, count, 0)).toThrow(DataError);
  });
});

describe("readEvaluationColumns", () => {
  it("gives the columns asked for by id", () => {
    fill([a, b]);
    expect(Object.fromEntries(readEvaluationColumns(folder, ["place", "year"]))).toEqual({
      "a.png": { place: "water", year: 2020 },
      "b.png": { place: "land", year: 2021 },
    });
  });

  it("gives truth values as text, and refuses values that say nothing", () => {
    fill([
      { ...a, male: true },
      { ...b, male: false },
    ]);
    expect([...readEvaluationColumns(folder, ["male"]).values()]).toEqual([
      { male: "true" },
      { male: "false" },
    ]);
    fill([{ ...a, place: " " }]);
    expect(() => readEvaluationColumns(folder, ["place"])).toThrow(/no text or number under "place"/);
  });

  it("names the line and the columns there when one is missing", () => {
    fill([a, b]);
    expect(() => readEvaluationColumns(folder, ["colour"])).toThrow(
      /line 1: "a.png" has no text or number under "colour". Its columns are: file_name, text, place, year/,
    );
    expect(() => readEvaluationColumns(folder, ["toString"])).toThrow(DataError);
  });
});
