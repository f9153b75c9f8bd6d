import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parquetContents, parquetFile } from "../../../test/parquet-files.ts";
import { openImageFolder } from "../../data/index.ts";
import { DataError } from "../../torch/index.ts";
import { type KnownHashes, sha256 } from "../hash.ts";
import { readItemsFile, writeItemsFile } from "../stages/items-file.ts";
import { hashFiles, readContent } from "./content.ts";
import { describeItems } from "./set-items.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "invdiff-content-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { sha256: hashes = [] } = parquetContents["ways/none.parquet"]!;

describe("pictures in parquet files", () => {
  it("are hashed by their own bytes, so that a cache knows them wherever they lie", async () => {
    const { items } = openImageFolder(parquetFile("ways/none.parquet"));
    const found = await describeItems(items);
    expect(found.hashes).toEqual(hashes);
    const bytes = await readContent(items[3]!.file, found.hashes[3]!);
    writeFileSync(join(folder, "same.png"), bytes);
    expect(await hashFiles([join(folder, "same.png")])).toEqual([hashes[3]]);
    await expect(readContent(items[3]!.file, sha256("other"))).rejects.toThrow(DataError);
    await expect(readContent(items[3]!.file, sha256("other"))).rejects.toThrow(/has changed since/);
  });

  it("are hashed again when their file was replaced, and only then", async () => {
    const path = join(folder, "train.parquet");
    copyFileSync(parquetFile("ways/none.parquet"), path);
    utimesSync(path, 1, 1);
    const files = openImageFolder(path).items.map(({ file }) => file);
    const known: KnownHashes = new Map();
    expect(await hashFiles(files, { known })).toEqual(hashes);
    known.set(files[0]!, { ...known.get(files[0]!)!, hash: "remembered" });
    expect(await hashFiles(files, { known })).toEqual(["remembered", ...hashes.slice(1)]);
    copyFileSync(parquetFile("ways/gzip.parquet"), path);
    utimesSync(path, 2, 2);
    expect(await hashFiles(files, { known })).toEqual(parquetContents["ways/gzip.parquet"]!.sha256);
  });

  it.each(["hub", "hub/data/validation-00000-of-00001.parquet"])(
    "are found again by the items of a stage: %s",
    async (name) => {
      const path = parquetFile(name);
      const items = await describeItems(openImageFolder(path).items);
      mkdirSync(join(folder, "latents"));
      writeItemsFile(join(folder, "latents"), { items, folder: path, keys: { moments: "m", text: "t" } });
      expect(readItemsFile(join(folder, "latents"), path).items).toEqual(items);
    },
  );
});
