// A user's own images: no labels, no validation folder; and images without any second population.
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import {
  birdFolder,
  differingFiles,
  filesBelow,
  readJson,
  readRows,
  run,
  tinyConfig,
  writeRows,
} from "../../../test/tiny-experiment.ts";
import { tensorCount } from "../../torch/index.ts";
import type { EvaluationJson } from "../report/index.ts";
import { planStages } from "../stage-plan.ts";
import { experimentStages } from "./index.ts";

let root = "";
let rows: Record<string, unknown>[] = [];
const images = () => join(root, "images");
const folderConfig = (changes: Record<string, unknown> = {}) =>
  tinyConfig({ name: "My photos", data: { kind: "folder", path: images() }, ...changes });
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-user-"));
  rows = await birdFolder(images(), 72);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a folder with captions only", () => {
  it("goes through the whole run; bias is not measured, and the report says so", async () => {
    writeRows(
      join(images(), "train"),
      rows.map(({ file_name, text }) => ({ file_name, caption: text })),
    );
    const out = join(root, "captions");
    const before = settledTensorCount();
    const { events, manifests } = await run(folderConfig(), out);
    expect(tensorCount()).toBe(before);
    const stages = ["latents", "base", "groups", "guidance", "samples-base", "samples", "evaluation"];
    expect(Object.keys(manifests)).toEqual(stages);
    expect(events.at(-1)).toBe("evaluation finished");
    const evaluation = readJson<EvaluationJson>(out, "evaluation.json");
    for (const model of [evaluation.base, evaluation.guided]) {
      expect(model).toMatchObject({
        bias: null,
        biasInterval: null,
        promptAccuracy: null,
        biasPerPrompt: {},
      });
      expect(model.fid).toBeGreaterThan(0);
    }
    expect(evaluation.fidFeatureSpace).toMatch(/^autoencoder latents, averaged to 4 x 4 \(64 numbers/);
    expect(evaluation.classifiers).toEqual({});
    expect(evaluation.groups.auc).toBeNull();
    const report = readFileSync(join(out, "report.html"), "utf8").replace(/\s+/g, " ");
    for (const words of ["Not measured: there are no labels", "72 training images"])
      expect({ words, isThere: report.includes(words) }).toEqual({ words, isThere: true });
    expect(/>\s*(undefined|NaN|null)\s*</.exec(report)).toBeNull();
  }, 120_000);
});

describe("a folder with labels and a validation folder", () => {
  it("is evaluated anew when the labels change, and only evaluated", async () => {
    const train = join(images(), "train");
    const config = folderConfig({
      data: { kind: "folder", path: images(), validationPath: join(images(), "validation") },
      evaluation: { subjectColumn: "subject", hiddenColumn: "place" },
      samples: { prompts: ["a photo of a waterbird"] },
    });
    const keys = async () => {
      const plan = await planStages(experimentStages(config), config, join(root, "none"));
      return new Map(plan.map(({ stage, key }) => [stage.name, key]));
    };
    const changed = (a: Map<string, string>, b: Map<string, string>) =>
      [...a.keys()].filter((name) => a.get(name) !== b.get(name));
    writeRows(train, rows);
    const before = await keys();
    writeRows(train, [{ ...rows[0], place: "elsewhere" }, ...rows.slice(1)]);
    expect(changed(before, await keys())).toEqual(["evaluation"]);
    writeRows(train, rows);
    const validation = join(images(), "validation");
    const own = readRows(validation);
    writeRows(validation, [{ ...own[0], place: "elsewhere" }, ...own.slice(1)]);
    expect(changed(before, await keys())).toEqual(["classifiers", "evaluation"]);
    writeRows(validation, own);
    expect(changed(before, await keys())).toEqual([]);
  });
});

describe("images without a second population", () => {
  it("leave the model as it is: no guidance, and the same samples bit for bit", async () => {
    // One picture, over and over: every loss is the same.
    const train = join(images(), "train");
    const { file_name } = rows[0] as { file_name: string };
    const copies = Array.from({ length: 36 }, (_, i) => ({ file_name: `copy-${i}.png`, text: "a bird" }));
    for (const copy of copies) copyFileSync(join(train, file_name), join(train, copy.file_name));
    writeRows(train, copies);
    const out = join(root, "copies");
    await run(folderConfig({ base: { steps: 3 }, groups: { solver: "mixture" } }), out);
    expect(readJson(out, "groups", "groups.json")).toMatchObject({ found: false, count: 1, sizes: [36] });
    expect(readJson(out, "guidance", "losses.json")).toEqual([]);
    expect(readJson(out, "guidance", "manifest.json")["result"]).toEqual({ trained: false });
    expect([...filesBelow(join(out, "guidance"), ".safetensors").keys()]).toEqual([]);
    const pictures = (stage: string) => filesBelow(join(out, stage, "images"), ".png");
    expect(pictures("samples-base").size).toBe(4);
    expect(differingFiles(pictures("samples-base"), pictures("samples"))).toEqual([]);
    const tensors = (stage: string) => filesBelow(join(out, stage), ".safetensors");
    expect(differingFiles(tensors("samples-base"), tensors("samples"))).toEqual([]);
    const evaluation = readJson<EvaluationJson>(out, "evaluation.json");
    expect(evaluation.guided).toEqual(evaluation.base);
    expect(evaluation.groups).toEqual({ auc: null, sizes: [36], found: false });
    expect(readFileSync(join(out, "report.html"), "utf8").includes("No second population was found")).toBe(
      true,
    );
  }, 120_000);
});
