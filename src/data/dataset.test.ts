import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { datasetContract, type ExpectedItem, sha256 } from "../../test/contracts/dataset.ts";
import { type ParquetContent, parquetContents, parquetFile } from "../../test/parquet-files.ts";
import { openDataset } from "./dataset.ts";

/** Writes files below a folder. */
function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

const item = (
  id: string,
  captions: readonly string[],
  metadata: Readonly<Record<string, unknown>> = {},
): ExpectedItem => ({ id, captions, metadata, sha256: sha256(`picture ${id}`) });

const pictures = (...ids: string[]): Record<string, string> =>
  Object.fromEntries(ids.map((id) => [id, `picture ${id}`]));

datasetContract({
  kind: "metadata.jsonl",
  make(path) {
    const rows = [
      { file_name: "b.png", text: "a bird", place: "water", year: 2020 },
      { file_name: "more/a.jpg", text: ["a bee", "a wasp"], place: "land", wild: true },
    ];
    write(path, {
      ...pictures("b.png", "more/a.jpg", "unlisted.png"),
      "metadata.jsonl": rows.map((row) => `${JSON.stringify(row)}\n`).join(""),
    });
    const items = [
      item("b.png", ["a bird"], { place: "water", year: 2020 }),
      item("more/a.jpg", ["a bee", "a wasp"], { place: "land", wild: true }),
    ];
    return { path, items };
  },
});

datasetContract({
  kind: "metadata.csv",
  make(path) {
    write(path, {
      ...pictures("b.png", "a.jpg"),
      "metadata.csv":
        '\uFEFFplace,file_name,caption\r\nwater,b.png,"a bird, ""big"""\r\nland,a.jpg,"two\r\nlines"\r\n',
    });
    const items = [
      item("b.png", ['a bird, "big"'], { place: "water" }),
      item("a.jpg", ["two\r\nlines"], { place: "land" }),
    ];
    return { path, items };
  },
});

datasetContract({
  kind: "metadata.parquet",
  make(path) {
    write(path, pictures("1.png", "2.png"));
    copyFileSync(parquetFile("shapes/metadata.parquet"), join(path, "metadata.parquet"));
    return {
      path,
      items: [item("1.png", ["a"], { place: "land" }), item("2.png", ["b"], { place: "water" })],
    };
  },
});

datasetContract({
  kind: "class folders",
  make(path) {
    write(path, {
      ...pictures("waterbird/b.png", "waterbird/a.png", "landbird/a.png", "landbird/near/c.png"),
      "landbird/Thumbs.db": "",
      ".DS_Store": "",
      ".hidden/x.png": "",
    });
    const items = [
      item("landbird/a.png", ["landbird"], { label: "landbird" }),
      item("landbird/near/c.png", ["landbird"], { label: "landbird" }),
      item("waterbird/a.png", ["waterbird"], { label: "waterbird" }),
      item("waterbird/b.png", ["waterbird"], { label: "waterbird" }),
    ];
    return { path, items };
  },
});

datasetContract({
  kind: "caption files",
  make(path) {
    write(path, {
      ...pictures("2.png", "10.JPG", "sub/2.png"),
      "2.txt": "\uFEFFa bird\r\n",
      "10.txt": "a bee\n\n a wasp \n",
      "sub/2.txt": "a gull",
      "README.md": "",
      "notes.txt": "of no picture",
    });
    const items = [
      item("10.JPG", ["a bee", "a wasp"]),
      item("2.png", ["a bird"]),
      item("sub/2.png", ["a gull"], { label: "sub" }),
    ];
    return { path, items };
  },
});

datasetContract({
  kind: "pictures without captions",
  make(path) {
    write(path, pictures("a.png", "b.webp"));
    return { path, items: [item("a.png", []), item("b.webp", [])] };
  },
});

/** Rows of a fixture as items. */
const itemsOf = (
  { columns, paths, sha256: hashes }: ParquetContent,
  idOf: (row: number) => string = (row) => paths![row]!,
): ExpectedItem[] => {
  const { text, caption = text, ...others } = columns;
  return caption!.map((value, row) => ({
    id: idOf(row),
    captions: [value].flat() as string[],
    metadata: Object.fromEntries(Object.entries(others).map(([name, values]) => [name, values[row]])),
    sha256: hashes![row] as string,
  }));
};

datasetContract({
  kind: "parquet",
  make: () => ({
    path: parquetFile("hub"),
    split: "train",
    items: [0, 1].flatMap((shard) =>
      itemsOf(parquetContents[`hub/data/train-0000${shard}-of-00002.parquet`]!),
    ),
  }),
});

describe("openDataset", () => {
  it.each(["caption-lists", "plain-bytes", "required", "same-names"])(
    "opens a single parquet file, here %s",
    async (name) => {
      const dataset = await openDataset(parquetFile(`shapes/${name}.parquet`));
      const content = parquetContents[`shapes/${name}.parquet`]!;
      const isNamed = content.paths!.every((path) => path !== null && path !== "x.png");
      const expected = itemsOf(content, isNamed ? undefined : (row) => `${name}.parquet#${row}`);
      const items = Array.from({ length: dataset.length }, (_, i) => dataset.item(i));
      expect(items.map(({ id, captions, metadata }) => ({ id, captions, metadata }))).toEqual(
        expected.map(({ id, captions, metadata }) => ({ id, captions, metadata })),
      );
      expect(await Promise.all(items.map(async ({ bytes }) => sha256(await bytes())))).toEqual(
        expected.map((row) => row.sha256),
      );
    },
  );

  it("takes the captions from the column asked for, and gives the others as metadata", async () => {
    const dataset = await openDataset(parquetFile("hub"), { split: "train", captionColumn: "label" });
    expect(dataset.columns).toContain("text");
    expect(dataset.columns).not.toContain("label");
    expect(["landbird", "waterbird"]).toContain(dataset.item(0).captions[0]);
  });
});
