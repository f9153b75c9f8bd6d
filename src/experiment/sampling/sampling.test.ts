// The parts of a sampling request that need no networks.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SCHEDULERS } from "../../schedulers/index.ts";
import { SAMPLING_SCHEDULERS } from "./choices.ts";
import { sha256 } from "../hash.ts";
import { appendRecords, type ImageRecord, readRecords, rewriteRecords } from "./manifest.ts";
import { planImages, promptSlug } from "./plan.ts";
import { readPrompts } from "./prompts-file.ts";
import { sampleRequest } from "./request.ts";
import { resumption } from "./resume.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "sampling-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("a request", () => {
  it("names every option that does not fit, with its value", () => {
    const given = { model: "m", prompts: ["a"], perPrompt: 0, eta: 2, scheduler: "lms" as "ddim" };
    expect(() => sampleRequest(given)).toThrow(
      /perPrompt: .*given: 0[^]*scheduler: .*"lms"[^]*eta: .*given: 2/,
    );
    expect(sampleRequest({ model: "m", prompts: ["a"] })).toMatchObject({ steps: 50, guidanceScale: 7.5 });
  });

  it("knows every scheduler that there is", () => {
    expect([...SAMPLING_SCHEDULERS].sort()).toEqual(Object.keys(SCHEDULERS).sort());
  });
});

describe("prompts of a file", () => {
  it("are lines, or the prompt or text of JSON lines", () => {
    const path = join(folder, "p.jsonl");
    writeFileSync(path, '{"prompt": "a"}\n\n{"text": "b", "file_name": "x.png"}\n"c"\n');
    expect(readPrompts(path)).toEqual(["a", "b", "c"]);
    writeFileSync(path, '{"prompt": "a"}\n{"prompt": 3}\n');
    expect(() => readPrompts(path)).toThrow(/p\.jsonl, line 2 has no prompt/);
    writeFileSync(path, "\n{oops\n");
    expect(() => readPrompts(path)).toThrow(/line 2 is not valid JSON/);
    writeFileSync(join(folder, "empty.txt"), " \n");
    expect(() => readPrompts(join(folder, "empty.txt"))).toThrow(/holds no prompts/);
  });
});

describe("the plan", () => {
  it("gives each image its seed and a name that no other has", () => {
    const plan = planImages({ prompts: ["A photo!", "a photo", "日本"], perPrompt: 2, seed: 5 });
    expect(plan.map(({ seed }) => seed)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(plan.map(({ file }) => file)).toEqual([
      "0-a-photo-0000.png",
      "0-a-photo-0001.png",
      "1-a-photo-0000.png",
      "1-a-photo-0001.png",
      "2-日本-0000.png",
      "2-日本-0001.png",
    ]);
    expect(promptSlug("../../etc/passwd")).toBe("etc-passwd");
    expect(planImages({ prompts: ["?"], perPrompt: 1, seed: 0 })[0]!.file).toBe("0-0000.png");
  });
});

const record = (index: number, changes: Partial<ImageRecord> = {}): ImageRecord => ({
  ...{ file: `${index}.png`, index, prompt: "a", seed: index, model: "m", modelHash: "h", invdiff: "0" },
  sha256: sha256(Buffer.from("png")),
  settings: { steps: 5 } as ImageRecord["settings"],
  ...changes,
});

describe("the manifest", () => {
  it("survives a line that a crash cut off, and keeps the last of several for one file", () => {
    appendRecords(folder, [record(1), record(0)]);
    appendRecords(folder, [record(1, { seed: 7 })]);
    const path = join(folder, "manifest.jsonl");
    writeFileSync(path, `${readFileSync(path, "utf8")}{"file": "2.p`);
    const records = readRecords(folder);
    expect([...records.values()].map(({ index, seed }) => [index, seed]).sort()).toEqual([
      [0, 0],
      [1, 7],
    ]);
    rewriteRecords(folder, records);
    expect(readFileSync(path, "utf8").trim().split("\n")).toHaveLength(2);
  });

  it("with a strange line in the middle is left alone", () => {
    writeFileSync(join(folder, "manifest.jsonl"), 'hello\n{"file": "0.png"}\n');
    expect(() => readRecords(folder)).toThrow(/line 1 is no record of an image/);
  });
});

describe("resuming", () => {
  const plan = [0, 1, 2].map((index) => ({
    ...{ index, promptIndex: 0, prompt: "a", seed: index },
    file: `${index}.png`,
  }));
  const sourceOf = ({ seed }: { seed: number }) => {
    const { prompt, settings, modelHash } = record(seed);
    return { prompt, settings, modelHash, seed };
  };

  it("keeps what is whole, and makes what is missing or damaged", () => {
    appendRecords(folder, [record(0), record(1)]);
    writeFileSync(join(folder, "0.png"), "png");
    writeFileSync(join(folder, "1.png"), "pn");
    const { kept, toMake } = resumption(folder, plan, { sourceOf, force: false });
    expect([kept.map(({ index }) => index), toMake.map(({ index }) => index)]).toEqual([[0], [1, 2]]);
  });

  it("refuses a file of other origin, unless forced", () => {
    writeFileSync(join(folder, "2.png"), "mine");
    const run = (force: boolean) => () => resumption(folder, plan, { sourceOf, force });
    expect(run(false)).toThrow(
      /2\.png exists and was made otherwise[^]*it is not in the manifest[^]*--force/,
    );
    expect(run(true)().toMake).toHaveLength(3);
  });
});
