import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalJson, hashFile, hashFolder, hashJson } from "./hash.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "invdiff-hash-"));
  mkdirSync(join(folder, "a", "b"), { recursive: true });
  writeFileSync(join(folder, "a", "b", "1.txt"), "abc");
  writeFileSync(join(folder, "a", "2.txt"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("hashFile", () => {
  it("is the SHA-256 of the content", async () => {
    // The published test vector for "abc".
    expect(await hashFile(join(folder, "a", "b", "1.txt"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });

  it("names a file that cannot be read", async () => {
    await expect(hashFile(join(folder, "no"))).rejects.toThrow(/no cannot be read/);
  });
});

describe("hashFolder", () => {
  it("changes with contents and names, and with nothing else", async () => {
    const before = await hashFolder(folder);
    mkdirSync(join(folder, "empty"));
    expect(await hashFolder(folder)).toBe(before);
    expect(await hashFolder(folder, { skip: (name) => name === "a/2.txt" })).not.toBe(before);
    writeFileSync(join(folder, "a", "2.txt"), "x");
    expect(await hashFolder(folder)).not.toBe(before);
    writeFileSync(join(folder, "a", "2.txt"), "");
    expect(await hashFolder(folder)).toBe(before);
    renameSync(join(folder, "a", "2.txt"), join(folder, "a", "3.txt"));
    expect(await hashFolder(folder)).not.toBe(before);
  });
});

describe("canonicalJson", () => {
  it("does not depend on the order of keys", () => {
    expect(canonicalJson({ b: [1, "x", null], a: { d: undefined, c: true } })).toBe(
      '{"a":{"c":true},"b":[1,"x",null]}',
    );
    expect(hashJson({ a: 1, b: 2 })).toBe(hashJson({ b: 2, a: 1 }));
    expect(hashJson({ a: 1 })).not.toBe(hashJson({ a: 2 }));
  });

  it("refuses what JSON cannot hold", () => {
    expect(() => canonicalJson({ a: Number.NaN })).toThrow("NaN has no JSON form");
    expect(() => canonicalJson({ a: () => 1 })).toThrow("a function has no JSON form");
  });
});
