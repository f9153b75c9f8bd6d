// A run that is given a classifier: it goes by that one, and trains its own for the other columns only.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeClassifierFolder } from "../../../test/classifier-folder.ts";
import { readJson, run, tinyConfig } from "../../../test/tiny-experiment.ts";
import { countLabels, normalisedBias } from "../../metrics/index.ts";
import { keep, rand, scope } from "../../torch/index.ts";
import { openClassifier } from "../classifier/index.ts";
import type { EvaluationJson } from "../report/index.ts";
import type { ClassifierSummary } from "./classifiers.ts";
import { loadSamples } from "./samples.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "given-classifiers-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a run with a classifier of the hidden attribute", () => {
  it("measures the bias by it, and another attribute that it recognises too", async () => {
    using pictures = keep(scope(() => rand([8, 3, 64, 64]).mul(255).to("uint8")));
    const [place, mood] = [join(root, "place"), join(root, "mood")];
    writeClassifierFolder(place, { column: "place", values: ["land", "water"], pictures });
    writeClassifierFolder(mood, { column: "mood", values: ["calm", "wild"], pictures });
    const out = join(root, "run");
    const { manifests } = await run(tinyConfig({ evaluation: { classifiers: [place, mood] } }), out);
    const { heads } = readJson<ClassifierSummary>(out, "classifiers", "classifiers.json");
    expect(heads.map(({ column }) => column)).toEqual(["subject"]);
    expect(manifests["evaluation"]!.inputs["classifiers"]).toMatchObject({
      place: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    const { base, guided, metrics } = readJson<EvaluationJson>(out, "evaluation.json");
    for (const [stage, evaluation] of [
      ["samples-base", base],
      ["samples", guided],
    ] as const) {
      const { images, prompts, perPrompt } = loadSamples(join(out, stage));
      using _ = images;
      for (const [folder, own] of [
        [place, evaluation],
        [mood, evaluation.attributes!["mood"]!],
      ] as const) {
        using classifier = openClassifier(folder, { device: "cpu" });
        const { classes } = classifier.classify(images);
        prompts.forEach((prompt, p) => {
          const counts = countLabels(classes.subarray(p * perPrompt, (p + 1) * perPrompt), 2);
          expect(Object.values(own.attributeCounts[prompt]!)).toEqual(counts);
          expect(own.biasPerPrompt[prompt]).toBeCloseTo(normalisedBias(counts), 12);
        });
      }
    }
    const keys = metrics!.metrics.map(({ key }) => key);
    for (const key of ["bias", "biasCorrected", "bias:mood", "promptAccuracy"]) expect(keys).toContain(key);
  }, 120_000);
});
