// All metrics together, with CLIP from the golden files and without the other published networks.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CountingNetwork,
  countingNetwork,
  meansOf,
  modelOf,
  picturesOf,
  pixelJudge,
} from "../../../test/evaluation-parts.ts";
import { golden } from "../../../test/golden-dir.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import {
  clipImageFeatures,
  clipScores,
  diversityEstimate,
  frechetDistance,
  improvedPrecisionRecall,
  kernelDistance,
  normalisedBias,
} from "../../metrics/index.ts";
import { scope, type Tensor, tensorCount } from "../../torch/index.ts";
import { featureDistances } from "./diversity.ts";
import { type EvaluationRequest, evaluateModels } from "./evaluate-models.ts";
import { tensorImages } from "./image-set.ts";
import type { FoundNetworks } from "./networks.ts";

const PROMPTS = ["a photo of a landbird", "a photo of a waterbird"];
const PROMPT_OF = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
const BASE = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1];
const GUIDED = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1];
const missing = (kind: string) => ({ reason: `No ${kind}.`, command: `invdiff download network ${kind}` });
const NETWORKS: FoundNetworks = {
  inception: missing("inception"),
  vgg16: missing("vgg16"),
  lpips: missing("lpips"),
  clip: { path: golden("tiny-clip"), hash: "ab".repeat(32) },
};
const without = { ...NETWORKS, clip: missing("clip") };
const SETTINGS = { bootstrap: 100, fid: "clean", neighbours: 3, lpipsImages: 4 } as const;

let folder = "";
let open: Tensor[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evaluate-models-"));
  open = [picturesOf(BASE), picturesOf(GUIDED, { seed: 1 }), picturesOf(BASE, { seed: 2 })];
});
afterEach(() => {
  for (const images of open) images.dispose();
  rmSync(folder, { recursive: true, force: true });
});

interface Parts {
  readonly fallback: CountingNetwork;
  readonly request: EvaluationRequest;
}

/** Base and guided model with reference images; what is missing has `countingNetwork` in its place. */
function given(more: Partial<EvaluationRequest> = {}): Parts {
  const fallback = countingNetwork("instead");
  const [base, guided, real] = open as [Tensor, Tensor, Tensor];
  return {
    fallback,
    request: {
      models: [
        modelOf("base", PROMPT_OF, { images: base }),
        modelOf("guided", PROMPT_OF, { images: guided }),
      ],
      reference: { images: tensorImages(real), text: "12 noises" },
      ...{ prompts: PROMPTS, hidden: [], subject: undefined, networks: without, settings: SETTINGS },
      ...{ fallback: async () => fallback, seed: 4, device: "cpu", folder, ...more },
    },
  };
}

describe("evaluateModels", () => {
  it("measures everything that can be, says what cannot, and looks at every picture once", async () => {
    const before = settledTensorCount();
    const pixels = countingNetwork("pixels");
    const accuracy = { value: 0.99, interval: [0.98, 1] as const };
    const quality = { accuracy, heldOutImages: 500 };
    const hidden = pixelJudge("place", ["water", "land"], { network: pixels, quality });
    const further = pixelJudge("third", ["a", "b", "c"], { network: pixels });
    const subject = {
      judge: pixelJudge("bird", ["land", "water"], { network: pixels, quality }),
      ofPrompt: [0, 1],
    };
    const parts = given({ hidden: [hidden, further], subject, networks: NETWORKS });
    const { rows, attributes, warnings } = await evaluateModels(parts.request);
    expect(settledTensorCount()).toBe(before);
    expect(rows.map(({ key, skipped }) => (skipped ? `(${key})` : key))).toEqual(
      `bias biasRaw (biasCorrected) bias:third biasRaw:third (biasCorrected:third) promptAccuracy clipT
       (fid) fid:features kid:features
       (precision) precision:features recall:features density:features coverage:features
       (lpipsDiversity) lpipsDiversity:features`.split(/\s+/),
    );
    const row = (key: string) => rows.find((own) => own.key === key)!;
    const values = (key: string) => row(key).values.map((own) => own!.value);
    const [base, guided, real] = open as [Tensor, Tensor, Tensor];

    // Bias and accuracy, from the classes by hand.
    const half = (labels: number[], classes: number) =>
      [labels.slice(0, 6), labels.slice(6)]
        .map((own) =>
          normalisedBias(Array.from({ length: classes }, (_, c) => own.filter((x) => x === c).length)),
        )
        .reduce((a, b) => (a + b) / 2);
    for (const [key, classes] of [
      ["bias", 2],
      ["bias:third", 3],
    ] as const) {
      expect(values(key)[0]).toBeCloseTo(half(BASE, classes), 12);
      expect(values(key)[1]).toBeCloseTo(half(GUIDED, classes), 12);
    }
    expect(values("promptAccuracy")).toEqual([11 / 12, 7 / 12]);
    expect(attributes.map(({ judge }) => judge.column)).toEqual(["place", "third"]);
    expect([...attributes[0]!.predictions[1]!.classes]).toEqual(GUIDED);

    // CLIP-T: 100 times the cosine.
    using clip = clipImageFeatures(golden("tiny-clip"), { key: "ab".repeat(32) });
    for (const [m, images] of [base, guided].entries()) {
      using embedded = clip.features(images);
      using texts = clip.textFeatures(PROMPT_OF.map((p) => PROMPTS[p]!));
      const scores = scope(() => clipScores(embedded, texts).toNumbers());
      const mean = (own: number[]) => own.reduce((a, b) => a + b, 0) / own.length;
      expect(values("clipT")[m]).toBeCloseTo(mean(scores), 3);
      expect(row("clipT").perPrompt![1]![m]!.value).toBeCloseTo(mean(scores.slice(6)), 3);
    }
    expect(row("clipT").featureSpace).toBe(clip.name);

    // Distances to the reference images, in the feature space that is there.
    using far = meansOf(real);
    for (const [m, images] of [base, guided].entries()) {
      using own = meansOf(images);
      expect(values("fid:features")[m]! / frechetDistance(far, own)).toBeCloseTo(1, 9);
      expect(values("kid:features")[m]! / kernelDistance(far, own)).toBeCloseTo(1, 9);
      const { precision, recall } = improvedPrecisionRecall(far, own, { neighbours: 3 });
      expect([values("precision:features")[m], values("recall:features")[m]]).toEqual([precision, recall]);
      const distances = featureDistances(
        [own],
        [
          [
            [0, 1, 2, 3],
            [6, 7, 8, 9],
          ],
        ],
      )[0]!;
      expect(values("lpipsDiversity:features")[m]).toBeCloseTo(diversityEstimate(distances).overall.value, 9);
    }
    expect(row("fid:features")).toMatchObject({ featureSpace: "instead", reference: "12 noises" });
    expect(row("lpipsDiversity:features").featureSpace).toBe("instead, 4 images per prompt");
    expect(row("fid").skipped).toEqual(missing("inception"));
    expect(row("precision").skipped).toEqual(missing("vgg16"));
    const both = { reason: "No vgg16. No lpips.", command: "invdiff download network vgg16 lpips" };
    expect(row("lpipsDiversity").skipped).toEqual(both);
    for (const own of rows)
      if (!own.skipped && own.comparisons) {
        expect(own.comparisons[0]).toBeUndefined();
        const [first, second] = own.values.map((value) => value!.value);
        const scale = Math.max(1, Math.abs(first!), Math.abs(second!));
        expect(own.comparisons[1]!.difference / scale).toBeCloseTo((second! - first!) / scale, 9);
      }
    // The pictures of three judges went through their network once, those of the reference and the models through the other.
    expect(pixels.calls.reduce((a, b) => a + b)).toBe(24);
    expect(parts.fallback.calls.reduce((a, b) => a + b)).toBe(36);
    expect(parts.fallback.released).toBe(2);

    const text = warnings.join("\n");
    expect(text).toMatch(/Nobody has measured how often the classifier of "third" is right/);
    expect(text).not.toMatch(/classifier of "place"/);
    expect(text).toMatch(/6 images of "a photo of a landbird" are few/);
    expect(text).toMatch(/Bias of "third" cannot exceed 0\.67/);

    // Again: the same table, and no picture is looked at.
    const again = await evaluateModels(parts.request);
    expect(again.rows).toEqual(rows);
    expect(pixels.calls.reduce((a, b) => a + b)).toBe(24);
    expect(parts.fallback.calls.reduce((a, b) => a + b)).toBe(36);
  });

  it("has another feature space only where there is one", async () => {
    const { rows } = await evaluateModels(given({ fallback: undefined }).request);
    expect(rows.map(({ key, skipped }) => `${key}: ${skipped?.command}`)).toEqual([
      "clipT: invdiff download network clip",
      "fid: invdiff download network inception",
      "precision: invdiff download network vgg16",
      "lpipsDiversity: invdiff download network vgg16 lpips",
    ]);
    const networks = { ...without, vgg16: { path: "vgg16.pth", hash: "ab" } };
    const one = await evaluateModels(given({ networks, fallback: undefined, reference: undefined }).request);
    expect(one.rows.at(-1)!.skipped).toEqual(missing("lpips"));
  });

  it("measures no distance without reference images, nor between fewer than three", async () => {
    const { rows } = await evaluateModels(given({ reference: undefined }).request);
    const skipped = rows.filter((row) => row.skipped).map(({ key, skipped }) => [key, skipped!.reason]);
    expect(skipped.slice(1, 3)).toEqual(
      ["fid", "precision"].map((key) => [
        key,
        "There are no reference images to compare with; give a folder of them (data.validationPath, or --reference).",
      ]),
    );
    using two = open[2]!.slice(0, 0, 2);
    const few = await evaluateModels(given({ reference: { images: tensorImages(two), text: "2" } }).request);
    for (const key of ["fid", "precision"])
      expect(few.rows.find((row) => row.key === key)!.skipped!.reason).toMatch(/holds fewer than three/);
    expect(few.rows.some(({ key }) => key.startsWith("fid:"))).toBe(false);
  });

  it("takes fewer neighbours where a set is small, and says so", async () => {
    using four = open[2]!.slice(0, 0, 4);
    const { rows, warnings } = await evaluateModels(
      given({ reference: { images: tensorImages(four), text: "4" } }).request,
    );
    expect(warnings).toContain("Precision and recall take 2 neighbours, because a set has 4 images only.");
    using far = meansOf(four);
    using own = meansOf(open[0]!);
    const expected = improvedPrecisionRecall(far, own, { neighbours: 2 });
    expect(rows.find(({ key }) => key === "recall:features")!.values[0]!.value).toBe(expected.recall);
  });

  it("takes one model alone, and models of different numbers of images", async () => {
    const [base, guided] = open as [Tensor, Tensor];
    const judge = pixelJudge("place", ["water", "land"]);
    const alone = await evaluateModels(
      given({ models: [modelOf("base", PROMPT_OF, { images: base })], hidden: [judge] }).request,
    );
    for (const { comparisons = [], values, skipped } of alone.rows) {
      expect(values).toHaveLength(skipped ? 0 : 1);
      expect(comparisons.every((own) => own === undefined)).toBe(true);
    }
    using part = guided.slice(0, 2, 9);
    const other = modelOf("guided", PROMPT_OF.slice(2, 9), { images: part });
    const both = await evaluateModels(
      given({ models: [modelOf("base", PROMPT_OF, { images: base }), other], hidden: [judge] }).request,
    );
    for (const { comparisons = [], values, skipped } of both.rows) {
      expect(values.every((own) => own !== undefined && Number.isFinite(own.value))).toBe(true);
      expect(values).toHaveLength(skipped ? 0 : 2);
      expect(comparisons.every((own) => own === undefined)).toBe(true);
    }
    expect(both.rows[0]!.values[0]).toEqual(alone.rows[0]!.values[0]);
    // Of prompt 1 the second model has three images.
    expect(both.warnings.join()).toMatch(/3 images of "a photo of a waterbird" are few/);
  });

  it("keeps what is done when it is stopped", async () => {
    const before = settledTensorCount();
    const controller = new AbortController();
    const parts = given();
    const done: string[] = [];
    const progress = ({ task, done: count, total }: { task: string; done: number; total: number }) => {
      if (count < total || !task.startsWith("looking at")) return;
      done.push(task);
      if (task.includes("base")) controller.abort(new Error("Ctrl-C"));
    };
    const run = evaluateModels(parts.request, { signal: controller.signal, progress });
    await expect(run).rejects.toThrow("Ctrl-C");
    expect(done).toEqual(["looking at reference images: instead", "looking at The base one: instead"]);
    expect(parts.fallback.released).toBe(1);
    expect(settledTensorCount()).toBe(before);
    expect(existsSync(folder)).toBe(true);
    const { fallback, request } = given();
    await evaluateModels(request);
    expect(fallback.calls.reduce((a, b) => a + b)).toBe(12);
    expect(tensorCount()).toBe(before);
  });
});
