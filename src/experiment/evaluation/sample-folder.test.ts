import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeManifestFolder, writePromptFolders, writeStageFolder } from "../../../test/evaluation-parts.ts";
import { DataError, UserError } from "../../torch/index.ts";
import { sampledImages } from "./sample-folder.ts";

let dir = "";
beforeEach(() => (dir = join(mkdtempSync(join(tmpdir(), "sample-folder-")), "images")));
afterEach(() => rmSync(join(dir, ".."), { recursive: true, force: true }));

const PROMPTS = { "a waterbird": [0, 1, 0], "a landbird": [1, 1, 0] };
const brief = () =>
  sampledImages(dir).map(({ file, prompt, pair }) => `${prompt}|${pair}|${file.slice(dir.length + 1)}`);

describe("sampledImages", () => {
  it("reads what `invdiff sample` wrote, by prompt and seed", async () => {
    await writeManifestFolder(dir, PROMPTS);
    expect(brief()).toEqual([
      ...[11, 12, 13].map((seed, i) => `a landbird|${seed}|1-${i}.png`),
      ...[8, 9, 10].map((seed, i) => `a waterbird|${seed}|0-${i}.png`),
    ]);
  });

  it("reads what a samples stage wrote, with the same seeds", async () => {
    await writeStageFolder(dir, PROMPTS);
    expect(brief()).toEqual([
      ...[11, 12, 13].map((seed, i) => `a landbird|${seed}|images/1-a-landbird/000${i}.png`),
      ...[8, 9, 10].map((seed, i) => `a waterbird|${seed}|images/0-a-waterbird/000${i}.png`),
    ]);
  });

  it("reads the reference's folders, in the order of the numbers in the names", async () => {
    await writePromptFolders(dir, { "a bird": Array.from({ length: 11 }, () => 0) });
    writeFileSync(join(dir, "a bird", "notes.txt"), "no picture");
    writeFileSync(join(dir, "overview.png"), "not of a prompt");
    expect(brief()).toEqual(
      Array.from({ length: 11 }, (_, i) => `a bird|${i}_image.png|a bird/${i}_image.png`),
    );
  });

  it("follows links to folders of prompts", async () => {
    await writePromptFolders(join(dir, "..", "elsewhere"), { "a bird": [0, 1] });
    mkdirSync(dir);
    symlinkSync(join(dir, "..", "elsewhere", "a bird"), join(dir, "a bird"));
    expect(sampledImages(dir)).toHaveLength(2);
  });

  it("says what is missing", async () => {
    const refused = (kind: typeof UserError, pattern: RegExp) => {
      expect(() => sampledImages(dir)).toThrow(kind);
      expect(() => sampledImages(dir)).toThrow(pattern);
    };
    refused(DataError, /There is no folder .*images\. Give a folder of generated images/);
    mkdirSync(dir);
    refused(
      DataError,
      /images holds no generated images\. Expected manifest\.jsonl .* or a folder per prompt/,
    );
    mkdirSync(join(dir, "a bird"));
    refused(DataError, /holds no generated images/);
    await writeManifestFolder(dir, PROMPTS);
    unlinkSync(join(dir, "1-1.png"));
    refused(DataError, /images lists .*1-1\.png, which is not there\. Sample it again\./);
    writeFileSync(join(dir, "manifest.jsonl"), "{}\n{}\n");
    refused(UserError, /manifest\.jsonl, line 1 is no record of an image/);
    unlinkSync(join(dir, "manifest.jsonl"));
    writeFileSync(join(dir, "samples.json"), "{}");
    refused(DataError, /samples\.json is no list of a run's samples/);
    writeFileSync(join(dir, "samples.json"), "{");
    refused(UserError, /samples\.json/);
    await writeStageFolder(dir, PROMPTS);
    rmSync(join(dir, "images", "0-a-waterbird"), { recursive: true });
    refused(DataError, /images lists .*0000\.png, which is not there/);
  });

  it("refuses a file in the place of a folder", () => {
    writeFileSync(dir, "");
    expect(() => sampledImages(dir)).toThrow(/There is no folder/);
  });
});
