// A tiny experiment on birds with two hidden attributes and true groups of both: every number for each of them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readJson, readRows, run, tinyConfig } from "../../../test/tiny-experiment.ts";
import type { EvaluationJson } from "../report/index.ts";
import { loadGroups } from "./groups.ts";

let root = "";
let out = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "invdiff-two-"));
  out = join(root, "out");
  const changes = {
    data: { poseBalance: 0.75 },
    groups: { method: "oracle", oracleColumn: ["place", "pose"] },
  };
  await run(tinyConfig(changes), out);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("two hidden attributes", () => {
  it("draws the pose into the metadata", () => {
    const rows = readRows(join(out, "data", "birds", "train"));
    const usual = rows.filter(({ subject, pose }) => pose === (subject === "waterbird" ? "left" : "right"));
    // Of 48 birds 43 are on their usual place: 32 and 4 of them in their usual pose.
    expect(usual).toHaveLength(72);
  });

  it("makes a group of every combination, and judges the true ones perfect", () => {
    const groups = loadGroups(join(out, "groups-oracle"));
    expect(groups).toMatchObject({ method: "true labels (place, pose)", count: 4, sizes: [64, 8, 22, 2] });
    const { groups: judged } = readJson<EvaluationJson>(out, "evaluation.json");
    const perfect = { auc: 1, precision: 1, recall: 1 };
    expect(judged.attributes).toEqual({ place: perfect, pose: perfect });
    expect(judged.cells!.purity).toBe(1);
    expect(judged.cells!.counts.map((row, g) => row[g])).toEqual([64, 8, 22, 2]);
  });

  it("measures the Bias in each, with a classifier for each", () => {
    const { base, guided, classifiers } = readJson<EvaluationJson>(out, "evaluation.json");
    expect(Object.keys(classifiers)).toEqual(["subject", "place", "pose"]);
    for (const model of [base, guided]) {
      const { pose } = model.attributes!;
      for (const counts of Object.values(pose!.attributeCounts)) {
        expect(Object.keys(counts)).toEqual(["left", "right"]);
        expect(counts["left"]! + counts["right"]!).toBe(4);
      }
      // Bias of four images: |left - right| / 4, and the mean over the prompts.
      const own = Object.values(pose!.attributeCounts).map((c) => Math.abs(c["left"]! - c["right"]!) / 4);
      expect(Object.values(pose!.biasPerPrompt)).toEqual(own);
      expect(pose!.bias).toBeCloseTo((own[0]! + own[1]!) / 2, 12);
      expect(Object.keys(Object.values(model.attributeCounts)[0]!)).toEqual(["land", "water"]);
    }
    const report = readFileSync(join(out, "report.html"), "utf8");
    expect(report).toContain("Bias in further attributes");
    expect(report).toContain("Agreement with each attribute");
  });
});
