import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../hash.ts";
import { fileImages } from "./image-set.ts";
import { readKnownFiles, writeKnownFiles } from "./known-files.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "known-files-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the hashes of picture files", () => {
  const keyOf = (text: string) => sha256(`${sha256(text)} centre 8`);

  it("are kept: a file that looks the same is not read again, one that has changed is", async () => {
    const folder = join(root, "features");
    const file = join(root, "a.png");
    const write = (text: string) => {
      writeFileSync(file, text);
      utimesSync(file, 1000, 1000);
    };
    write("first");
    const keys = async () => (await fileImages([file], 8, { folder })).keys;
    expect(await keys()).toEqual([keyOf("first")]);
    // Other bytes under the same size and time: only who reads the file would know.
    write("other");
    expect(await keys()).toEqual([keyOf("first")]);
    write("longer than before");
    expect(await keys()).toEqual([keyOf("longer than before")]);
    expect([...readKnownFiles(folder).values()].map(({ hash }) => hash)).toEqual([
      sha256("longer than before"),
    ]);
  });

  it("survive a trip through the file; a broken file is as good as none", () => {
    const folder = join(root, "other");
    expect(readKnownFiles(folder)).toEqual(new Map());
    const known = new Map([["x.png", { stamp: "1 2 3", hash: "a".repeat(64) }]]);
    writeKnownFiles(folder, known);
    expect(readKnownFiles(folder)).toEqual(known);
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      '{"x.png": 1}',
      '{"x.png": {"stamp": "1", "hash": "short"}}',
    ]) {
      writeFileSync(join(folder, "files.json"), text);
      expect(readKnownFiles(folder)).toEqual(new Map());
    }
  });
});
