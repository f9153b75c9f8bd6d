import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parquetContents, parquetFile } from "../../../test/parquet-files.ts";
import { inspectDataset, openSplits, pictureGrid } from "./index.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "invdiff-inspect-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A picture of one colour. */
const png = (width: number, height: number, grey: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: { r: grey, g: grey, b: grey } } })
    .png()
    .toBuffer();

async function write(split: string, rows: readonly object[], files: Readonly<Record<string, Uint8Array>>) {
  const at = join(folder, split);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "metadata.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(at, name), bytes);
}

const inspect = (path = folder, split?: string) => inspectDataset(path, openSplits(path, split));

describe("inspectDataset", () => {
  it("counts captions, columns and sizes, and names everything broken or there twice", async () => {
    const [a, b, c] = [await png(4, 4, 10), await png(8, 4, 20), await png(6, 12, 30)];
    const rows = [
      { file_name: "a.png", text: "a bird", place: "water", year: 2001 },
      { file_name: "b.png", text: ["a bird", "a big bird"], place: "land", year: 2002 },
      { file_name: "again.png", text: "a bee", place: "water", year: null },
      { file_name: "c.png", text: " ", place: "water", year: 2004 },
      { file_name: "cut.png", text: "a bird", place: "water", year: 2004 },
      { file_name: "none.png", place: "sky", year: 2009 },
      { file_name: "text.png", text: 3, year: 2009 },
    ];
    await write("train", rows, {
      ...{ "a.png": a, "b.png": b, "again.png": a, "c.png": c },
      ...{ "cut.png": b.subarray(0, b.length - 30), "text.png": Buffer.from("no picture") },
    });
    await write("validation", [{ file_name: "v.png", text: "a bird" }], { "v.png": b });
    const { inspection, readable } = await inspect();
    const [train, validation] = inspection.splits;
    expect(inspection).toMatchObject({
      path: folder,
      shared: [{ splits: ["train", "validation"], images: 1, example: "b.png" }],
    });
    expect(train).toMatchObject({
      ...{ split: "train", kind: "metadata.jsonl", images: 7 },
      captions: {
        ...{ with: 4, without: 3, several: 1, distinct: 3, words: { least: 2, median: 2, most: 3 } },
        common: [
          { value: "a bird", count: 3 },
          { value: "a bee", count: 1 },
          { value: "a big bird", count: 1 },
        ],
      },
      columns: [
        {
          ...{ name: "place", missing: 1, distinct: 3, range: null },
          values: [
            { value: "water", count: 4 },
            { value: "land", count: 1 },
            { value: "sky", count: 1 },
          ],
        },
        { name: "year", missing: 1, distinct: 4, range: { least: 2001, median: 2004, most: 2009 } },
      ],
      sizes: {
        width: { least: 4, median: 5, most: 8 },
        height: { least: 4, median: 4, most: 12 },
        aspect: { least: 0.5, median: 1, most: 2 },
        totalBytes: 2 * a.length + b.length + c.length,
      },
      duplicates: [{ ids: ["a.png", "again.png"], sameCaptions: false }],
    });
    expect(train!.broken.map(({ id }) => id)).toEqual(["cut.png", "none.png", "text.png"]);
    expect(train!.broken.map(({ problem }) => problem)).toEqual([
      expect.stringMatching(/^cannot be read as an image/),
      expect.stringMatching(/^cannot be read: ENOENT/),
      expect.stringMatching(/^cannot be read as an image/),
    ]);
    expect(train!.badCaptions).toEqual([
      { id: "c.png", problem: expect.stringMatching(/line 4: the caption of "c.png" is empty/) as string },
      {
        id: "text.png",
        problem: expect.stringMatching(/line 7: the caption of "text.png" is not text/) as string,
      },
    ]);
    expect(validation).toMatchObject({ split: "validation", images: 1, broken: [], duplicates: [] });
    expect(readable).toEqual(
      ["train/a.png", "train/b.png", "train/again.png", "train/c.png", "validation/v.png"].map((name) =>
        join(folder, name),
      ),
    );
  });

  it("takes one split when asked, and captions from another column", async () => {
    await write("train", [{ file_name: "a.png", title: "x", text: "y" }], { "a.png": await png(2, 2, 0) });
    await write("test", [{ file_name: "b.png", text: "y" }], { "b.png": await png(2, 2, 1) });
    const opened = openSplits(folder, "train");
    const { inspection } = await inspectDataset(folder, opened, { captionColumn: "title" });
    expect(inspection.splits).toHaveLength(1);
    expect(inspection.splits[0]).toMatchObject({
      captions: { common: [{ value: "x", count: 1 }] },
      columns: [{ name: "text" }],
    });
  });

  it("reads parquet files", async () => {
    const { inspection } = await inspect(parquetFile("hub"), "train");
    const contents = [0, 1].map((i) => parquetContents[`hub/data/train-0000${i}-of-00002.parquet`]!);
    const labels = contents.flatMap(({ columns }) => columns["label"] as string[]);
    const count = (label: string): number => labels.filter((own) => own === label).length;
    const [train] = inspection.splits;
    expect(train).toMatchObject({ kind: "parquet", images: labels.length, broken: [] });
    const found = train!.columns.find(({ name }) => name === "label")!.values!;
    expect(Object.fromEntries(found.map(({ value, count }) => [value, count]))).toEqual(
      Object.fromEntries([...new Set(labels)].map((label) => [label, count(label)])),
    );
  });

  it("tells how far it is, and stops when asked", async () => {
    const files = Object.fromEntries(
      await Promise.all(Array.from({ length: 40 }, async (_, i) => [`${i}.png`, await png(2, 2, i)])),
    ) as Record<string, Buffer>;
    await write(
      "train",
      Object.keys(files).map((file_name) => ({ file_name, text: "x" })),
      files,
    );
    const stop = new AbortController();
    const seen: number[] = [];
    const done = inspectDataset(folder, openSplits(folder), {
      signal: stop.signal,
      onProgress: (split, done, total) => {
        expect([split, total]).toEqual(["train", 40]);
        seen.push(done);
        if (done === 5) stop.abort(new Error("enough"));
      },
    });
    await expect(done).rejects.toThrow("enough");
    expect(seen.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(seen.length).toBeLessThan(40);
  });
});

describe("pictureGrid", () => {
  it("shows pictures drawn by the seed, in their order", async () => {
    const greys = Array.from({ length: 9 }, (_, i) => 20 * i);
    const files = await Promise.all(
      greys.map(async (grey) => {
        const file = join(folder, `${grey}.png`);
        writeFileSync(file, await png(5, 3, grey));
        return file;
      }),
    );
    const grid = await pictureGrid(files, { count: 6, columns: 3, size: 8, seed: 1 });
    const { data, info } = await sharp(grid).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([3 * 8 + 2 * 4, 2 * 8 + 4]);
    const centre = (i: number): number =>
      data[((Math.floor(i / 3) * 12 + 4) * info.width + (i % 3) * 12 + 4) * 3]!;
    const shown = Array.from({ length: 6 }, (_, i) => centre(i));
    expect(shown).toEqual([...shown].sort((a, b) => a - b));
    expect(new Set(shown).size).toBe(6);
    for (const grey of shown) expect(greys).toContain(grey);
    expect(await pictureGrid(files, { count: 6, columns: 3, size: 8, seed: 1 })).toEqual(grid);
    expect(await pictureGrid(files, { count: 6, columns: 3, size: 8, seed: 2 })).not.toEqual(grid);
  });
});
