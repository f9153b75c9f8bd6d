import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parquetFile } from "../../../test/parquet-files.ts";
import { DataError } from "../../torch/index.ts";
import { openImageFolder } from "../image-folder.ts";
import { findSplits, readSource } from "./read-source.ts";

// What the machine's administrator may read, tests cannot make unreadable.
const denied = vi.hoisted(() => new Set<string>());
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const readdirSync = (path: string, options: object): unknown => {
    if (denied.has(path)) throw new Error(`EACCES: permission denied, scandir '${path}'`);
    return fs.readdirSync(path, options as never);
  };
  return { ...fs, readdirSync };
});

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "invdiff-source-"))));
afterEach(() => {
  denied.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes files below the folder: names alone, or with what is in them. */
function write(...files: (string | [name: string, text: string])[]): void {
  for (const file of files) {
    const [name, text] = typeof file === "string" ? [file, ""] : file;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Puts a fixture into the folder. */
function put(fixture: string, name: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  copyFileSync(parquetFile(fixture), join(folder, name));
}

const jsonl = (...names: string[]): string =>
  names.map((name) => JSON.stringify({ file_name: name, text: name })).join("\n");
const ids = (split?: string): string[] => readSource(folder, { split }).rows.map(({ id }) => id);
const splits = (): (string | undefined)[] => findSplits(folder).map(({ name }) => name);
const captions = (): string[] => openImageFolder(folder).items.map(({ caption }) => caption);

describe("the kind of a data set", () => {
  const cases: [kind: string, prepare: () => void][] = [
    ["metadata.jsonl", () => write("a.png", ["metadata.jsonl", jsonl("a.png")], "sub/b.png")],
    ["metadata.csv", () => write("a.png", ["metadata.csv", "file_name,text\na.png,x"], "a.txt")],
    ["parquet", () => (put("ways/none.parquet", "x.parquet"), write("a.png"))],
    ["class folders", () => write("x/a.png", "y/a.png", "README.md", "x/notes.md")],
    ["caption files", () => write("a.png", "a.txt")],
    ["caption files", () => write("x/a.png", ["x/a.txt", "text"], "y/a.png")],
    ["pictures without captions", () => write("a.png", "x/a.png")],
  ];
  it.each(cases)("is %s (%#)", (kind, prepare) => {
    prepare();
    expect(readSource(folder).kind).toBe(kind);
  });
});

describe("splits", () => {
  it("are sub-folders with the usual names, of any kind", () => {
    write(
      "train/a.png",
      ["train/metadata.jsonl", jsonl("a.png")],
      "val/x/b.png",
      "testing/c.png",
      "other/d.png",
    );
    expect(splits()).toEqual(["train", "test", "validation"]);
    expect([ids(), ids("train"), ids("validation"), ids("val"), ids("test"), ids("other")]).toEqual([
      ...[["a.png"], ["a.png"], ["x/b.png"], ["x/b.png"], ["c.png"], ["d.png"]],
    ]);
    expect(() => ids("extra")).toThrow(/has no split "extra". It has: train, test, validation/);
  });

  it("may lie in data/, and without train have to be named", () => {
    write("data/dev/a.png", "data/test/b.png");
    expect(splits()).toEqual(["validation", "test"]);
    expect(ids("validation")).toEqual(["a.png"]);
    expect(() => ids()).toThrow(/has the splits validation, test, but no train. Say which one/);
    rmSync(join(folder, "data/test"), { recursive: true });
    expect(ids()).toEqual(["a.png"]);
  });

  it("are classes when others are beside them and none is train", () => {
    write("test/a.png", "cat/b.png");
    expect(splits()).toEqual([undefined]);
    expect(captions()).toEqual(["cat", "test"]);
  });

  it("may not be there twice", () => {
    write("train/a.png", "val/b.png", "valid/c.png");
    expect(() => splits()).toThrow(/two folders for validation: val, valid. Keep one/);
  });

  it("of a folder with metadata are its sub-folders, with metadata of their own or rows of the whole", () => {
    write(["metadata.jsonl", jsonl("train/a.png", "extra/b.png")], "train/a.png", "extra/b.png");
    write(["test/metadata.jsonl", jsonl("c.png")], "test/c.png");
    expect(splits()).toEqual([undefined, "test"]);
    expect([ids(), ids("extra"), ids("test")]).toEqual([
      ["train/a.png", "extra/b.png"],
      ["extra/b.png"],
      ["c.png"],
    ]);
  });

  it("of parquet files are in their names", () => {
    put("hub/data/train-00000-of-00002.parquet", "data/train-00000-of-00002.parquet");
    put("hub/data/train-00001-of-00002.parquet", "data/train-00001-of-00002.parquet");
    put("ways/none.parquet", "data/val-00000-of-00001-0a1b2c3d.parquet");
    put("ways/none.parquet", "data/extra-00000-of-00001.parquet");
    put("ways/none.parquet", "data/unrelated.parquet");
    expect(splits()).toEqual(["train", "extra", "validation"]);
    expect([ids().length, ids("validation").length, ids("extra").length]).toEqual([12, 11, 11]);
  });

  it("of parquet files may be plain names or folders", () => {
    put("ways/none.parquet", "train.parquet");
    put("ways/gzip.parquet", "my_test_set.parquet");
    expect(splits()).toEqual(["train", "test"]);
    rmSync(join(folder, "train.parquet"));
    rmSync(join(folder, "my_test_set.parquet"));
    put("ways/none.parquet", "default/train/0000.parquet");
    put("ways/none.parquet", "default/validation/0000.parquet");
    expect(splits()).toEqual(["train", "validation"]);
    put("ways/none.parquet", "larger/train/0000.parquet");
    expect(() => splits()).toThrow(/holds several data sets: default, larger. Give the folder of one/);
  });

  it("of parquet files need all their parts", () => {
    put("hub/data/train-00000-of-00002.parquet", "data/train-00000-of-00002.parquet");
    expect(() => splits()).toThrow(/train-00001-of-00002.parquet is missing from .*others of its 2 parts/);
  });
});

describe("clear outcomes", () => {
  const cases: [string, () => void, RegExp][] = [
    [
      "an empty folder",
      () => undefined,
      /There are no pictures in .*Expected pictures with a metadata.jsonl/,
    ],
    [
      "two metadata files",
      () => write(["metadata.jsonl", "{}"], "metadata.csv"),
      /has metadata.jsonl and metadata.csv. Keep/,
    ],
    [
      "metadata in a class folder",
      () => write("x/a.png", "x/metadata.csv", "y/a.png"),
      /x.metadata.csv lies in a sub-folder/,
    ],
    [
      "two pictures with one caption file",
      () => write("a.png", "a.jpg", ["a.txt", "x"]),
      /a.txt could be the caption of a.jpg and of a.png. Give/,
    ],
    [
      "an empty caption file",
      () => write("a.png", ["a.txt", " \n\n"]),
      /: the caption of "a.png" is empty. Write what the picture shows/,
    ],
    [
      "a picture without its caption file",
      () => write("a.png", "b.png", ["a.txt", "x"]),
      /"b.png" has no caption.*\(b.txt\)/,
    ],
    [
      "captions for some classes only",
      () => write("x/a.png", ["x/a.txt", "x"], "y/b.png"),
      /"y\/b.png" has no caption/,
    ],
    [
      "a caption file that is no text",
      () => writeFileSync((write("a.png"), join(folder, "a.txt")), Uint8Array.of(0xc3, 0x28)),
      /a.txt is not UTF-8 text. Save it as UTF-8/,
    ],
    [
      "an empty caption in a parquet file",
      () => put("shapes/empty-text.parquet", "train.parquet"),
      /train.parquet, row 1: the caption of "0001.png" is empty/,
    ],
    [
      "a parquet file without pictures",
      () => put("shapes/no-image.parquet", "a.parquet"),
      /no column of pictures; its columns are/,
    ],
    ["a parquet file without rows", () => put("shapes/no-rows.parquet", "a.parquet"), /there are no rows/],
    [
      "a truncated parquet file",
      () => write(["a.parquet", "PAR1 and no more"]),
      /a.parquet cannot be read as a parquet file/,
    ],
    [
      "rows of unequal length",
      () => write("a.png", ["metadata.csv", "file_name,text\na.png,x\nb.png\n"]),
      /metadata.csv, row 3 has 1 value, but the first row names 2 columns/,
    ],
    [
      "an open quote",
      () => write(["metadata.csv", 'file_name,text\na.png,"x\n']),
      /cannot be read as CSV: Quote Not Closed/,
    ],
    [
      "a missing column of names",
      () => write(["metadata.csv", "name;text\na.png;x\n"]),
      /has no column "file_name"; its first line is: name;text/,
    ],
    ["doubled columns", () => write(["metadata.csv", "file_name,text,text\n"]), /two columns called "text"/],
    ["an empty table", () => write("metadata.csv"), /metadata.csv does not begin with names/],
    [
      "a table without rows",
      () => write(["metadata.csv", "file_name,text\n\n"]),
      /metadata.csv lists no pictures/,
    ],
    [
      "the same file twice in a table",
      () => write("a.png", ["metadata.csv", "file_name,text\na.png,x\n./a.png,y"]),
      /row 3: ".\/a.png" was listed before \(row 2\)/,
    ],
    [
      "a file outside the folder",
      () => write(["metadata.csv", "file_name,text\n../a.png,x"]),
      /row 2: file_name "..\/a.png" leads out of/,
    ],
    [
      "a file that is not there",
      () => write(["metadata.csv", "file_name,text\na.png,x"]),
      /row 2: there is no image file .*a.png/,
    ],
    [
      "an empty caption in a table",
      () => write("a.png", ["metadata.csv", "file_name,text\na.png,"]),
      /row 2: the caption of "a.png" is empty/,
    ],
    [
      "a folder that may not be read",
      () => (write("x/a.png"), void denied.add(join(folder, "x"))),
      /x cannot be read as a folder: EACCES/,
    ],
    [
      "a link to nothing",
      () => (write("b.png"), symlinkSync("nothing.png", join(folder, "a.png"))),
      /a.png is a link to a file that is not there/,
    ],
    [
      "a link to itself",
      () => symlinkSync("a.png", join(folder, "a.png")),
      /a.png is a link to a file that is not there/,
    ],
  ];
  it.each(cases)("%s", (_, prepare, message) => {
    prepare();
    expect(() => openImageFolder(folder)).toThrow(DataError);
    expect(() => openImageFolder(folder)).toThrow(message);
  });

  it("nothing at the path, or a file of another kind", () => {
    expect(() => readSource(join(folder, "none"))).toThrow(/There is no folder .*none. Expected pictures/);
    write("a.txt");
    expect(() => readSource(join(folder, "a.txt"))).toThrow(/a.txt is not a folder/);
    expect(() => readSource(join(folder, "x".repeat(300)))).toThrow(DataError);
  });

  it("the same name in two class folders, or with two endings and no caption file, is two pictures", () => {
    write("x/a.png", "x/a.jpg", "y/a.png");
    expect(ids()).toEqual(["x/a.jpg", "x/a.png", "y/a.png"]);
  });

  it("what operating systems leave behind is not there", () => {
    write(
      "a.png",
      ".DS_Store",
      "._a.png",
      "Thumbs.db",
      "desktop.ini",
      "@eaDir/a.png",
      "__MACOSX/a.png",
      ".git/a.png",
    );
    expect(ids()).toEqual(["a.png"]);
  });

  it("links to files and folders are followed, but not round in a circle", () => {
    write("real/a.png", ["real/a.txt", "a bird"]);
    mkdirSync(join(folder, "set"));
    symlinkSync(join(folder, "real"), join(folder, "set", "linked"));
    symlinkSync(join(folder, "real", "a.png"), join(folder, "set", "b.png"));
    symlinkSync(join(folder, "set"), join(folder, "set", "round"));
    expect(readSource(join(folder, "set")).rows.map(({ id, fields }) => [id, fields])).toEqual([
      ["b.png", {}],
      ["linked/a.png", { text: "a bird", label: "linked" }],
    ]);
  });

  it("pictures listed in metadata may be links, as in the Hugging Face cache", () => {
    write("blobs/0a1b", ["set/metadata.jsonl", jsonl("a.png")]);
    symlinkSync("../blobs/0a1b", join(folder, "set", "a.png"));
    expect(openImageFolder(join(folder, "set")).items).toHaveLength(1);
  });

  it("captions come with byte-order marks of every kind", () => {
    write("a.png", "b.png", "c.png", ["a.txt", "\uFEFFgrün"]);
    writeFileSync(join(folder, "b.txt"), Buffer.from("\uFEFFgrün\r\n", "utf16le"));
    writeFileSync(join(folder, "c.txt"), Buffer.from("\uFEFFgrün", "utf16le").swap16());
    expect(captions()).toEqual(["grün", "grün", "grün"]);
  });
});
