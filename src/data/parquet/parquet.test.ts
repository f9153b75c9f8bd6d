import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parquetContents, parquetFile } from "../../../test/parquet-files.ts";
import { DataError } from "../../torch/index.ts";
import { imageFile, isParquetRef, parquetRef, readImage } from "../image-ref.ts";
import { readPaths, readValues } from "./columns.ts";
import { imageColumn } from "./image-column.ts";
import { openParquet, rowCount } from "./parquet-file.ts";

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "invdiff-parquet-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const names = Object.keys(parquetContents);
const withPictures = names.filter((name) => parquetContents[name]!.sha256 && !name.includes("two-images"));

describe("readValues and readPaths", () => {
  it("have something to read", () => {
    expect(names.length).toBeGreaterThan(20);
  });

  it.each(names)("give the columns of %s as Python wrote them", (name) => {
    const file = openParquet(parquetFile(name));
    const { columns, paths } = parquetContents[name]!;
    expect(Object.fromEntries(readValues(file))).toEqual(columns);
    if (withPictures.includes(name)) expect(readPaths(file)).toEqual(paths);
  });

  it("agree with hyparquet's own reading, of which they use the inner functions", async () => {
    const path = parquetFile("hub/data/train-00000-of-00002.parquet");
    const buffer = new Uint8Array(readFileSync(path)).buffer;
    const rows = await parquetReadObjects({
      file: { byteLength: buffer.byteLength, slice: (start, end) => buffer.slice(start, end) },
      columns: ["text", "year", "wild"],
    });
    const values = readValues(openParquet(path));
    expect(rows.length).toBeGreaterThan(3);
    expect(rows).toEqual(
      rows.map((_, i) =>
        Object.fromEntries(["text", "year", "wild"].map((key) => [key, values.get(key)![i]])),
      ),
    );
  });
});

describe("readImage", () => {
  it.each(withPictures)("gives the bytes of every picture of %s, in any order", async (name) => {
    const { sha256: hashes = [] } = parquetContents[name]!;
    const rows = hashes.flatMap((hash, row) => (hash === false ? [] : [row])).reverse();
    // At once, as loaders do; and again, from what was kept.
    for (const _ of [1, 2]) {
      const bytes = await Promise.all(rows.map((row) => readImage(parquetRef(parquetFile(name), row))));
      expect(bytes.map(sha256)).toEqual(rows.map((row) => hashes[row]));
    }
  });

  it("gives bytes that its caller may change", async () => {
    const ref = parquetRef(parquetFile("ways/none.parquet"), 2);
    (await readImage(ref)).fill(0);
    expect(sha256(await readImage(ref))).toBe(parquetContents["ways/none.parquet"]!.sha256![2]);
  });

  it("reads an ordinary file as it is, and takes a reference apart", async () => {
    const file = join(folder, "a.png");
    writeFileSync(file, "bytes");
    expect(Buffer.from(await readImage(file)).toString()).toBe("bytes");
    expect([isParquetRef(file), isParquetRef("/x/a.parquet#12"), isParquetRef("/x/a.parquet#b")]).toEqual([
      false,
      true,
      false,
    ]);
    expect([imageFile(file), imageFile("/x#1/a.parquet#12")]).toEqual([file, "/x#1/a.parquet"]);
    await expect(readImage(join(folder, "none.png"))).rejects.toThrow(/none.png cannot be read/);
  });

  it("takes a picture beside the file where the row has only a path, and reports rows with neither", async () => {
    const path = join(folder, "without-bytes.parquet");
    copyFileSync(parquetFile("shapes/without-bytes.parquet"), path);
    await expect(readImage(parquetRef(path, 1))).rejects.toThrow(/beside.png cannot be read/);
    writeFileSync(join(folder, "beside.png"), "beside");
    expect(Buffer.from(await readImage(parquetRef(path, 1))).toString()).toBe("beside");
    await expect(readImage(parquetRef(path, 2))).rejects.toThrow(
      /without-bytes.parquet#2 holds no picture in column "image"/,
    );
    await expect(readImage(parquetRef(path, 3))).rejects.toThrow(/has 3 rows/);
  });

  it("notices that a file was replaced", async () => {
    const path = join(folder, "replaced.parquet");
    const hashes = ["ways/none.parquet", "ways/gzip.parquet"].map((name, i) => {
      copyFileSync(parquetFile(name), path);
      utimesSync(path, i + 1, i + 1);
      return [readImage(parquetRef(path, 0)), parquetContents[name]!.sha256![0]] as const;
    });
    for (const [bytes, hash] of hashes) {
      // The first read may see either file: it began while the second was being written.
      const found = sha256(await bytes.catch(() => new Uint8Array()));
      expect([hash, hashes[1]![1], sha256(new Uint8Array())]).toContain(found);
    }
    expect(sha256(await readImage(parquetRef(path, 0)))).toBe(hashes[1]![1]);
  });
});

describe("files that are no good", () => {
  const whole = readFileSync(parquetFile("ways/groups.parquet"));
  const damaged = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it("reports a file that is missing, empty, cut off at any length, or something else", () => {
    expect(() => openParquet(join(folder, "none.parquet"))).toThrow(DataError);
    for (const length of [0, 3, 11, 12, 100, whole.length - 1]) {
      const path = damaged("cut.parquet", whole.subarray(0, length));
      expect(() => openParquet(path)).toThrow(
        /cut.parquet cannot be read as a parquet file: .*It may be incomplete; get it again/,
      );
    }
    expect(() => openParquet(damaged("text.parquet", Buffer.from("no parquet at all")))).toThrow(
      /its end is missing/,
    );
  });

  it("reports a file whose middle is missing although its end is there", async () => {
    const path = damaged("middle.parquet", Buffer.concat([whole.subarray(0, 4), whole.subarray(1500)]));
    await expect(readImage(parquetRef(path, 10))).rejects.toThrow(/middle.parquet.*cannot be read/);
    await expect(readImage(parquetRef(path, 10))).rejects.toThrow(DataError);
  });

  it("reports files without pictures, and with several columns of them", () => {
    const open = (name: string) => () => imageColumn(openParquet(parquetFile(`shapes/${name}.parquet`)));
    expect(open("no-image")).toThrow(
      /no column of pictures; its columns are: text, audio. Expected a column "image"/,
    );
    expect(open("two-images")).toThrow(
      /several columns of pictures: before, after. Call the one to use "image"/,
    );
  });

  it("never fails with anything but DataError, whatever byte is wrong", async () => {
    const path = join(folder, "fuzzed.parquet");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        async (changes) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          writeFileSync(path, bytes);
          try {
            const file = openParquet(path);
            const { name } = imageColumn(file);
            readValues(file, name);
            readPaths(file);
            for (let row = 0; row < Math.min(20, rowCount(file)); row++)
              await readImage(parquetRef(path, row));
          } catch (error) {
            expect(error).toBeInstanceOf(DataError);
          }
        },
      ),
      { seed: 1, numRuns: 400 },
    );
    expect(statSync(path).size).toBe(whole.length);
  });
});
