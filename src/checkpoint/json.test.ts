import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readJson, readJsonObject } from "./index.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "json-"));
  path = join(folder, "x.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("JSON", () => {
  it("is read, with or without a byte order mark", () => {
    writeFileSync(path, '\uFEFF{"a": [1]}');
    expect(readJson(path)).toEqual({ a: [1] });
  });

  it("errors name the file", () => {
    expect(() => readJson(path)).toThrow(/x.json does not exist/);
    expect(() => readJson(folder)).toThrow(/is a folder/);
    writeFileSync(path, "{");
    expect(() => readJson(path)).toThrow(/x.json is not valid JSON/);
    writeFileSync(path, "[]");
    expect(() => readJsonObject(path)).toThrow(/x.json holds a list; expected a JSON object/);
  });

  it("with a key twice is refused where that matters", () => {
    writeFileSync(path, '\uFEFF{"a": 1, "b": {"a": 2, "a": 3}}');
    expect(readJson(path)).toEqual({ a: 1, b: { a: 3 } });
    expect(() => readJsonObject(path, { uniqueKeys: true })).toThrow(/x.json holds the key "a" twice/);
  });
});
