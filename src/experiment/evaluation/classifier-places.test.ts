import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { classifierPlaces } from "./classifier-places.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "classifier-places-"));
  const folder = (name: string, column?: unknown) => {
    mkdirSync(join(root, name));
    if (column !== undefined)
      writeFileSync(join(root, name, "classifier.json"), JSON.stringify({ column, values: ["a", "b"] }));
  };
  folder("place", "place");
  folder("pose", "pose");
  folder("silent");
  folder("odd=name", "odd");
  folder("broken", 7);
  writeFileSync(join(root, "model.pth"), "weights");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);

describe("classifierPlaces", () => {
  it("asks a folder what it recognises, and takes COLUMN=PATH at its word", () => {
    const entries = [at("place"), `gender=${at("model.pth")}`, at("odd=name"), `race=${at("silent")}`];
    expect(classifierPlaces(entries)).toEqual([
      { column: "place", path: at("place") },
      { column: "gender", path: at("model.pth") },
      { column: "odd", path: at("odd=name") },
      { column: "race", path: at("silent") },
    ]);
    expect(classifierPlaces(undefined)).toEqual([]);
    expect(classifierPlaces([])).toEqual([]);
  });

  it("refuses what is not there, does not say its column, or is there twice", () => {
    const cases: [string[], RegExp][] = [
      [[at("nothing")], /there is no .*nothing\. Expected a folder made by `invdiff train-classifier`/],
      [[`gender=${at("nothing.pth")}`], /there is no .*nothing\.pth/],
      [
        [at("model.pth")],
        /model\.pth does not say what it recognises\. Write COLUMN=.*model\.pth, such as gender=/,
      ],
      [[at("silent")], /silent does not say what it recognises/],
      [[at("broken")], /broken does not say what it recognises/],
      [[`=${at("model.pth")}`], /names no column\. Write COLUMN=.*model\.pth/],
      [[at("place"), `place=${at("model.pth")}`], /names two classifiers of "place"; expected one/],
    ];
    for (const [entries, pattern] of cases) {
      expect(() => classifierPlaces(entries)).toThrow(ConfigError);
      expect(() => classifierPlaces(entries)).toThrow(pattern);
    }
  });
});
