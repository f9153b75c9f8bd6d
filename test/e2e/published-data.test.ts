// The three published data sets, as a user goes about them: the official folder, `data prepare`, `run`, the report. The
// pictures are tiny and the training short, so the models are poor; what is checked is that every number of the report is
// the one that its images give.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataset } from "../../src/data/dataset.ts";
import type { EvaluationJson } from "../../src/experiment/index.ts";
import type { EvaluationResult } from "../../src/experiment/stages/evaluation.ts";
import { normalisedBias, promptBias } from "../../src/metrics/index.ts";
import { makeCeleba, makeFairface, makeWaterbirds } from "../official-folders.ts";
import { readJson } from "../tiny-experiment.ts";
import { runCli } from "./cli.ts";

const COMPARED = ["oracle", "reference", "diverse-prompt", "reweighting"];

interface Case {
  readonly name: "waterbirds" | "celeba" | "fairface";
  readonly make: (dir: string) => Promise<unknown>;
  readonly subject: string;
  readonly hidden: string;
  readonly values: readonly string[];
  /** Training images by group, in the order of the ratio. */
  readonly train: Record<string, number>;
  readonly compare: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "waterbirds",
    make: (dir) =>
      makeWaterbirds(dir, {
        size: 32,
        counts: { train: [40, 4, 4, 40], validation: [9, 9, 9, 9], test: [3, 3, 3, 3] },
      }),
    ...{ subject: "subject", hidden: "place", values: ["land", "water"] },
    train: {
      "landbird on land": 40,
      "landbird on water": 4,
      "waterbird on land": 4,
      "waterbird on water": 40,
    },
    compare: COMPARED,
  },
  {
    name: "celeba",
    make: (dir) =>
      makeCeleba(dir, {
        size: 32,
        counts: { train: [14, 30, 30, 16], validation: [9, 9, 9, 9], test: [2, 2, 2, 2] },
      }),
    ...{ subject: "hair", hidden: "gender", values: ["man", "woman"] },
    // 1:2:2:1 of 14, 30, 30, 16: the blond men are the fewest.
    train: { "man, blond": 14, "woman, blond": 28, "man, not blond": 28, "woman, not blond": 14 },
    compare: [],
  },
  {
    name: "fairface",
    make: (dir) =>
      makeFairface(dir, {
        size: 32,
        counts: { train: new Array<number>(8).fill(24), validation: new Array<number>(8).fill(5), test: [] },
      }),
    ...{ subject: "gender", hidden: "race_group", values: ["Asian", "Black", "Indian", "White"] },
    // 3:2:1:1:1:1:2:3 of 24 each.
    train: {
      "Male White": 24,
      "Male Asian": 16,
      "Male Indian": 8,
      "Male Black": 8,
      "Female White": 8,
      "Female Asian": 8,
      "Female Indian": 16,
      "Female Black": 24,
    },
    compare: [],
  },
];

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "invdiff-published-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = ({ name, subject, hidden, compare }: Case, data: string) => ({
  name,
  threads: 1,
  data: { kind: "folder", path: data, validationPath: join(data, "validation"), resolution: 32 },
  base: { steps: 8, batchSize: 16, warmup: 2, checkpointEvery: 100 },
  groups: { timesteps: [850, 999], solver: "spread", oracleColumn: hidden },
  guidance: { steps: 4, batchSize: 16, warmup: 1, rank: 4, checkpointEvery: 100 },
  samples: { perPrompt: 6, steps: 3, batchSize: 12 },
  evaluation: {
    ...{ subjectColumn: subject, hiddenColumn: hidden, compare, classifierSteps: 30, bootstrap: 100 },
    clip: join(import.meta.dirname, "..", "golden", "tiny-clip"),
    // No network of this machine shall change what is shown here.
    networks: join(root, "no-networks"),
  },
});

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(CASES)("$name, from the official folder to the report", (own) => {
  const { name, make, subject, hidden, values, train, compare } = own;
  const data = () => join(root, `${name}-data`);
  const out = () => join(root, `${name}-run`);

  it("is prepared in the ratio, with labels for the evaluation only", async () => {
    const official = join(root, `${name}-official`);
    await make(official);
    const result = await runCli(["data", "prepare", name, official, "--out", data()]);
    expect(result.stderr + result.stdout).toContain(data());
    expect(result.code).toBe(0);
    const dataset = await openDataset(data(), { split: "train" });
    const groups: Record<string, number> = {};
    for (let i = 0; i < dataset.length; i++) {
      const { metadata } = dataset.item(i);
      const group = String(metadata["group_name"]);
      groups[group] = (groups[group] ?? 0) + 1;
      expect(values).toContain(metadata[hidden]);
    }
    expect(groups).toEqual(train);
    expect(dataset.columns).toEqual(expect.arrayContaining([subject, hidden]));
  });

  it("runs to a report whose numbers are those of its images", async () => {
    const file = join(root, `${name}.yaml`);
    writeFileSync(file, stringify(settings(own, data())));
    const result = await runCli(["run", file, "--out", out()], { timeoutMs: 280_000 });
    expect(result.code, result.stderr).toBe(0);
    const evaluation = readJson<EvaluationJson>(out(), "evaluation.json");
    const { metrics: table } = evaluation;
    const keys = ["base", "guided", ...compare];
    expect(table!.models.map(({ key }) => key)).toEqual(keys);
    const row = (key: string) => table!.metrics.find((metric) => metric.key === key)!;
    const { models } = readJson<EvaluationResult>(out(), "evaluation", "result.json");
    for (const { key, evaluation: model } of models) {
      const counts = Object.values(model.attributeCounts).map((byValue) => Object.values(byValue));
      expect(Object.keys(Object.values(model.attributeCounts)[0]!)).toEqual(values);
      expect(counts.flat().reduce((sum, count) => sum + count, 0)).toBe(12);
      expect(row("bias").values[key]!.value).toBeCloseTo(mean(counts.map(normalisedBias)), 12);
      expect(row("biasRaw").values[key]!.value).toBeCloseTo(mean(counts.map(promptBias)), 12);
      const corrected = row("biasCorrected").values[key]!.value;
      expect(corrected).toBeGreaterThanOrEqual(0);
      expect(corrected).toBeLessThanOrEqual(1);
      expect(row("clipT").values[key]!.value).toBeGreaterThan(-100);
      for (const measured of ["fid:features", "kid:features", "recall:features", "lpipsDiversity:features"])
        expect(Number.isFinite(row(measured).values[key]!.value), measured).toBe(true);
    }
    for (const key of ["fid", "precision", "lpipsDiversity"])
      expect(row(key).skipped!.command).toMatch(
        /^invdiff download network (inception|vgg16|vgg16 lpips) --to .*no-networks$/,
      );
    // The heads of the run's own classifier, on a third of the validation images.
    for (const column of [subject, hidden]) {
      const { confusion, accuracy, heldOutImages } = evaluation.classifiers[column]!;
      const total = confusion!.flat().reduce((sum, count) => sum + count, 0);
      const right = confusion!.reduce((sum, line, i) => sum + line[i]!, 0);
      expect(total).toBe(heldOutImages);
      expect(accuracy).toBeCloseTo(right / total, 12);
    }
    const report = readFileSync(join(out(), "report.html"), "utf8");
    for (const text of [hidden, ...values, "Bias", "CLIP-T", "invdiff download network inception"])
      expect(report).toContain(text);
    expect(existsSync(join(out(), "report.md"))).toBe(true);
  }, 300_000);
});
