// A whole tiny experiment on the birds: what every stage leaves, what a second run reuses, what other groups add.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { differingFiles, filesBelow, readJson, run, tinyConfig } from "../../../test/tiny-experiment.ts";
import { readSafetensors } from "../../checkpoint/index.ts";
import { tensorBytes, tensorCount } from "../../torch/index.ts";
import { readManifest } from "../manifest.ts";
import { readRun } from "../trackers/index.ts";
import type { EvaluationJson } from "../report/index.ts";
import type { RunResult } from "../runner.ts";
import type { EvaluationResult } from "./evaluation.ts";
import { type GroupsSummary, loadGroups } from "./groups.ts";
import { tensorKeys } from "../evaluation/image-set.ts";
import { readItems } from "./items-file.ts";
import type { SamplesSummary } from "./samples.ts";

const STAGES = "data latents base groups guidance samples-base samples classifiers evaluation".split(" ");
const PROMPTS = ["a photo of a landbird", "a photo of a waterbird"];
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;

let root = "";
let out = "";
let first: RunResult & { events: string[] };
let left: { count: number; bytes: number };
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-stages-"));
  out = join(root, "out");
  const before = { count: settledTensorCount(), bytes: tensorBytes() };
  first = await run(tinyConfig(), out);
  left = { count: tensorCount() - before.count, bytes: tensorBytes() - before.bytes };
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a whole run", () => {
  it("runs every stage once and releases every tensor", () => {
    expect(first.events).toEqual(STAGES.flatMap((stage) => [`${stage} started`, `${stage} finished`]));
    expect(left).toEqual({ count: 0, bytes: 0 });
  });

  it("latents: every image and two captions with the empty one, encoded into the cache", () => {
    const { ids, captions, captionsOf } = readItems(join(out, "latents"));
    expect(captions).toEqual([...PROMPTS, ""]);
    expect(new Set(ids).size).toBe(96);
    expect(sum(captionsOf.map(([own]) => own!))).toBe(48);
    // Later the evaluation adds the features of its classifier.
    const kinds = [...filesBelow(join(out, "cache")).keys()].map((name) => name.split(/[-/]/)[0]!);
    expect(new Set(kinds)).toEqual(new Set(["moments", "text", "features"]));
  });

  it("base: the loss falls below its start, and no checkpoint is left", () => {
    const losses = readJson<number[]>(out, "base", "losses.json");
    expect(losses).toHaveLength(12);
    expect(mean(losses.slice(-4))).toBeLessThan(0.95 * mean(losses.slice(0, 3)));
    const names = [...filesBelow(join(out, "base")).keys()].sort();
    expect(names.filter((name) => !name.startsWith("events.out.tfevents."))).toEqual([
      "losses.json",
      "manifest.json",
      "metrics.jsonl",
      "run.json",
      "timing.jsonl",
      "unet/config.json",
      "unet/diffusion_pytorch_model.safetensors",
    ]);
    expect(names).toHaveLength(8);
    const lines = readFileSync(join(out, "base", "metrics.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    const metrics = lines.map((line) => JSON.parse(line) as { step: number; loss: number });
    expect(metrics.map(({ step }) => step)).toEqual(losses.map((_, i) => i + 1));
    expect(metrics.map(({ loss }) => loss)).toEqual(losses);
    expect(readRun(join(out, "base"))).toMatchObject({ status: "finished", lastStep: 12, steps: 12 });
    expect(readManifest(join(out, "base"))!.result).toMatchObject({ trained: true });
  });

  it("groups: sizes sum to the images, weights to 1 per image", () => {
    const groups = loadGroups(join(out, "groups"));
    expect(groups).toMatchObject({ method: "profile signal, spread solver", found: true, count: 2 });
    expect(sum(groups.sizes)).toBeCloseTo(96, 3);
    expect(groups.weights).toHaveLength(2 * 96);
    for (let row = 0; row < 96; row++)
      expect(groups.weights[2 * row]! + groups.weights[2 * row + 1]!).toBeCloseTo(1, 6);
    expect(sum([...groups.columnWeights!])).toBeCloseTo(1, 6);
    expect(groups.scores!.every(Number.isFinite)).toBe(true);
  });

  it("guidance: adapters that have learned something", () => {
    expect(readJson<number[]>(out, "guidance", "losses.json")).toHaveLength(6);
    const adapters = readSafetensors(join(out, "guidance", "lora.safetensors"));
    const up = [...adapters].filter(([key]) => key.includes("lora_B"));
    expect(up.length).toBeGreaterThan(10);
    for (const key of adapters.keys()) expect(key).toMatch(/^unet\..*\.lora_[AB]\.weight$/);
    expect(up.some(([, value]) => value.toNumbers().some((x) => x !== 0))).toBe(true);
    for (const value of adapters.values()) value.dispose();
  });

  it("samples: the same prompts and seeds through both models, as pictures and as tensors", () => {
    for (const stage of ["samples-base", "samples"]) {
      const { keys, ...summary } = readJson<SamplesSummary>(out, stage, "samples.json");
      expect(summary).toEqual({ prompts: PROMPTS, perPrompt: 4, firstSeed: 1000 });
      expect(filesBelow(join(out, stage, "images"), ".png").size).toBe(8);
      const images = readSafetensors(join(out, stage, "images.safetensors")).get("images")!;
      expect([images.dtype, images.shape]).toEqual(["uint8", [8, 3, 64, 64]]);
      expect(keys).toEqual(tensorKeys(images));
      expect(new Set(keys).size).toBe(8);
      images.dispose();
    }
    const [base, guided] = ["samples-base", "samples"].map((stage) => filesBelow(join(out, stage), ".png"));
    expect(differingFiles(base!, guided!).length).toBeGreaterThan(0);
  });

  it("evaluation.json has the documented shape and says what the stage found", () => {
    const evaluation = readJson<EvaluationJson>(out, "evaluation.json");
    const result = readJson<EvaluationResult>(out, "evaluation", "result.json");
    expect(Object.keys(evaluation).sort()).toEqual(
      "base classifiers fidFeatureSpace groups guided metrics seconds versions".split(" "),
    );
    for (const key of ["base", "guided", "groups", "classifiers", "fidFeatureSpace"] as const)
      expect(evaluation[key]).toEqual(result[key]);
    for (const model of [evaluation.base, evaluation.guided]) {
      expect(model.imagesPerPrompt).toBe(4);
      expect(Object.keys(model.biasPerPrompt)).toEqual(PROMPTS);
      expect(model.bias).toBeCloseTo(mean(Object.values(model.biasPerPrompt)), 12);
      for (const prompt of PROMPTS) {
        const { land, water } = model.attributeCounts[prompt] as { land: number; water: number };
        expect(land + water).toBe(4);
        // Two values: the normalised bias is |p - q|.
        expect(model.biasPerPrompt[prompt]).toBeCloseTo(Math.abs(land - water) / 4, 12);
        const [low, high] = model.biasPerPromptInterval[prompt]!;
        expect(low).toBeLessThanOrEqual(high);
      }
      expect(model.promptAccuracy).toBeGreaterThanOrEqual(0);
      expect(model.promptAccuracy).toBeLessThanOrEqual(1);
      expect(model.fid).toBeGreaterThan(0);
    }
    expect(Object.keys(evaluation.classifiers)).toEqual(["subject", "place"]);
    for (const { accuracy, heldOutImages } of Object.values(evaluation.classifiers)) {
      expect(heldOutImages).toBe(16);
      expect((accuracy * 16) % 1).toBe(0);
    }
    expect(evaluation.groups).toMatchObject({ found: true, sizes: loadGroups(join(out, "groups")).sizes });
    expect(evaluation.groups.auc).toBeGreaterThanOrEqual(0);
    expect(evaluation.groups.auc).toBeLessThanOrEqual(1);
    expect(Object.keys(evaluation.seconds.perStage)).toEqual(STAGES);
    expect(evaluation.seconds.total).toBeCloseTo(sum(Object.values(evaluation.seconds.perStage)), 0);
    expect(Object.keys(evaluation.versions).sort()).toEqual(["invdiff", "libtorch", "node"]);
  });

  it("report.html is self-contained", () => {
    const report = readFileSync(join(out, "report.html"), "utf8");
    expect(
      /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;/.exec(report),
    ).not.toBeNull();
    expect(/<script|<link|@import|url\((?!["']?(?:data:|#))/i.exec(report)).toBeNull();
    const sources = [...report.matchAll(/\s(?:src|srcset)="([^"]*)"/g)].map((match) => match[1]!);
    expect(sources.length).toBeGreaterThan(8);
    expect(sources.filter((source) => !source.startsWith("data:image/"))).toEqual([]);
    expect(PROMPTS.filter((prompt) => !report.includes(prompt))).toEqual([]);
  });
});

describe("a second run", () => {
  it("reuses everything and writes the same evaluation", async () => {
    const before = filesBelow(out);
    const again = await run(tinyConfig(), out);
    expect(again.events).toEqual(STAGES.map((stage) => `${stage} reused`));
    expect(again.manifests).toEqual(first.manifests);
    const changed = differingFiles(before, filesBelow(out));
    expect(changed.filter((name) => name !== "report.html")).toEqual([]);
  });

  it("with true labels shares the base, and adds `oracle` to the evaluation", async () => {
    const both = join(root, "both");
    cpSync(out, both, { recursive: true });
    const inferred = readJson<EvaluationJson>(both, "evaluation.json");
    const { events } = await run(tinyConfig({ groups: { method: "oracle" } }), both);
    const shared = ["data", "latents", "base", "samples-base", "classifiers"];
    const own = ["groups-oracle", "guidance-oracle", "samples-oracle", "evaluation-oracle"];
    expect(events.filter((event) => event.endsWith("reused")).sort()).toEqual(
      shared.map((stage) => `${stage} reused`).sort(),
    );
    expect(events.filter((event) => event.endsWith("finished"))).toEqual(
      own.map((name) => `${name} finished`),
    );
    // Exactly the labels: of each caption's 48 birds 5 (10 %, rounded) are where they seldom are.
    const groups = readJson<GroupsSummary>(both, "groups-oracle", "groups.json");
    expect(groups).toMatchObject({ method: "true labels (place)", count: 2, sizes: [86, 10] });
    const evaluation = readJson<EvaluationJson>(both, "evaluation.json");
    expect(evaluation.oracle).toEqual(evaluation.guided);
    expect(evaluation.base).toEqual(inferred.base);
    // Back to inferred groups: nothing is lost, and the comparison stays.
    const back = await run(tinyConfig(), both);
    expect(back.events).toEqual(STAGES.map((stage) => `${stage} reused`));
    const { oracle, metrics, ...rest } = readJson<EvaluationJson>(both, "evaluation.json");
    expect(oracle).toEqual(evaluation.oracle);
    const { metrics: before, ...numbers } = inferred;
    expect(rest).toEqual(numbers);
    // The table has a further column: the guided model of the other evaluation, as it stands there.
    expect(metrics!.models.map(({ key }) => key)).toEqual(["base", "guided", "oracle"]);
    for (const [i, { key, values, comparedToBase, skipped }] of metrics!.metrics.entries()) {
      const own = before!.metrics[i]!;
      expect({ base: values["base"], guided: values["guided"] }).toEqual(own.values);
      const other = evaluation.metrics!.metrics.find((row) => row.key === key)!;
      expect([key, values["oracle"]]).toEqual([key, other.values["guided"]]);
      expect(comparedToBase["oracle"]).toEqual(other.comparedToBase["guided"]);
      expect(skipped === null).toBe(values["base"] !== null);
    }
    expect(readFileSync(join(both, "report.html"), "utf8").includes("Guided, true labels")).toBe(true);
    // With other samples of the base the old comparison no longer holds, and is left out.
    await run(tinyConfig({ samples: { seed: 7 } }), both, { force: true });
    expect(existsSync(join(both, "evaluation-oracle"))).toBe(true);
    expect(readJson<EvaluationJson>(both, "evaluation.json").oracle).toBeUndefined();
  }, 120_000);
});
