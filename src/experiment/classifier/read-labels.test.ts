import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTonedPictures } from "../../../test/toned-pictures.ts";
import { readLabels } from "./read-labels.ts";

let root = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "read-labels-"));
  await writeTonedPictures(join(root, "split"), { train: 4, validation: 2 });
});
afterAll(() => rmSync(root, { recursive: true }));

const linesOf = (...path: string[]): string[] =>
  readFileSync(join(root, ...path, "metadata.jsonl"), "utf8")
    .trim()
    .split("\n");

describe("readLabels", () => {
  it("reads the parts that there are, numbers and truth values as text", async () => {
    const rows = await readLabels(join(root, "split"), "number");
    expect(Object.keys(rows)).toEqual(["train", "validation"]);
    expect(rows.train.map(({ value }) => value)).toEqual(["0", "1", "2", "3"]);
    expect(rows.validation?.map(({ id, file }) => [id, basename(file)])).toEqual([
      ["0.png", "0.png"],
      ["1.png", "1.png"],
    ]);
  });

  it("takes class folders, whose names are the labels", async () => {
    for (const [i, name] of ["cat", "dog", "cat"].entries())
      cpSync(join(root, "split", "train", `${i}.png`), join(root, "classes", name, `${i}.png`), {
        recursive: true,
      });
    const { train } = await readLabels(join(root, "classes"), "label");
    expect(train.map(({ value, file }) => [value, basename(file)])).toEqual([
      ["cat", "0.png"],
      ["cat", "2.png"],
      ["dog", "1.png"],
    ]);
  });

  it("never trains on what is held out, although the list of all pictures has it too", async () => {
    cpSync(join(root, "split", "train"), join(root, "listed"), { recursive: true });
    cpSync(join(root, "split", "validation"), join(root, "listed", "validation"), { recursive: true });
    const inside = linesOf("listed", "validation").map((line) =>
      line.replace('"0.png"', '"validation/0.png"'),
    );
    const all = [...linesOf("listed"), inside[0]!];
    writeFileSync(join(root, "listed", "metadata.jsonl"), all.join("\n"));
    const rows = await readLabels(join(root, "listed"), "tone");
    expect(rows.train.map(({ id }) => id)).toEqual(["0.png", "1.png", "2.png", "3.png"]);
    expect(rows.validation).toHaveLength(2);
  });
});
