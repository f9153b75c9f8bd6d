import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONFUSION, writeClassifierFolder } from "../../../test/classifier-folder.ts";
import { picturesOf } from "../../../test/evaluation-parts.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { relativeError } from "../../../test/tensors.ts";
import { toModelRange } from "../../data/index.ts";
import { ResnetClassifier } from "../../models/index.ts";
import { scope, tensorCount } from "../../torch/index.ts";
import { openClassifier } from "../classifier/index.ts";
import { classifierQuality } from "./classifier-quality.ts";
import { classifierFeatures, headJudge, placeJudge } from "./judge.ts";

const device = "cpu";
const NUMBERS = [1, 40, 90, 160, 220, 250];

describe("the heads of the run's own classifier", () => {
  const CONFIG = { stage_channels: [8, 16], norm_num_groups: 4, num_classes: [2, 3] };
  const accuracy = { value: 0.8, interval: [0.7, 0.9] as const };

  it("say what the classifier itself says, from kept features", () => {
    const model = ResnetClassifier.seeded(CONFIG, 3);
    using network = classifierFeatures(model, { hash: "ab", device });
    using images = picturesOf(NUMBERS);
    const before = settledTensorCount();
    {
      using features = network.features(images);
      expect(tensorCount()).toBe(before + 1);
      expect([...features.shape]).toEqual([6, network.dimensions]);
      expect(network.dimensions).toBe(16);
      for (const [index, values] of [
        ["a", "b"],
        ["x", "y", "z"],
      ].entries()) {
        const quality = { accuracy, heldOutImages: 20 };
        const judge = headJudge(model, network, { index, column: "c", values }, { quality, device });
        expect(judge).toMatchObject({ column: "c", values, quality });
        const { classes, probabilities } = judge.predictions(features);
        const expected = scope(() =>
          model
            .splitHeads(model.forward(toModelRange(images)))
            [index]!.softmax(1)
            .toNumbers(),
        );
        expect(probabilities).toHaveLength(expected.length);
        expected.forEach((value, i) => expect(probabilities[i]).toBeCloseTo(value, 6));
        const width = values.length;
        expect([...classes]).toEqual(
          NUMBERS.map((_, i) => {
            const row = expected.slice(i * width, (i + 1) * width);
            return row.indexOf(Math.max(...row));
          }),
        );
      }
    }
    expect(tensorCount()).toBe(before);
  });

  it("have features with a key of the weights and the kind of device", () => {
    using model = ResnetClassifier.seeded(CONFIG, 3);
    const keyOf = (hash: string, on: string) => classifierFeatures(model, { hash, device: on }).key;
    expect(keyOf("ab", "cuda:0")).toBe(keyOf("ab", "cuda:1"));
    expect(new Set([keyOf("ab", "cpu"), keyOf("cd", "cpu"), keyOf("ab", "cuda")]).size).toBe(3);
    expect(keyOf("ab", "cpu")).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("placeJudge", () => {
  let root = "";
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "judge-"));
    using pictures = picturesOf(NUMBERS, { size: 32 });
    writeClassifierFolder(root, { column: "place", values: ["water", "land"], pictures });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("gives the probabilities of the classifier as features, and reads its predictions off them", () => {
    using images = picturesOf(NUMBERS, { size: 32 });
    const before = settledTensorCount();
    {
      const judge = placeJudge({ path: root, column: "place" }, { hash: "ab", device });
      using network = judge.network;
      using classifier = openClassifier(root, { device });
      const expected = classifier.classify(images);
      // In a scope, as whoever calls it may be in one: the features outlive it.
      using features = scope(() => network.features(images));
      expect([...features.shape]).toEqual([6, 2]);
      expect(features.toNumbers()).toEqual([...expected.probabilities]);
      expect(judge.predictions(features)).toEqual(expected);
      expect([...expected.classes].sort()).toEqual([0, 0, 0, 1, 1, 1]);
      expect(judge).toMatchObject({ values: ["water", "land"], architecture: "ResNet-18, 32 pixels" });
      using half = images.slice(0, 2, 5);
      using part = network.features(half);
      using chosen = features.slice(0, 2, 5);
      expect(relativeError(part, chosen)).toBeLessThan(1e-5);
    }
    expect(tensorCount()).toBe(before);
  });

  it("knows how good the classifier was on held-out images", () => {
    const judge = placeJudge({ path: root, column: "place" }, { hash: "ab", device });
    using _ = judge.network;
    const accuracy = { value: 0.875, interval: [0.75, 0.95] };
    expect(judge.quality).toEqual({ accuracy, heldOutImages: 40, confusion: CONFUSION });
    expect(classifierQuality(judge)).toEqual({
      ...{ accuracy: 0.875, accuracyInterval: [0.75, 0.95], heldOutImages: 40, confusion: CONFUSION },
      ...{ architecture: "ResNet-18, 32 pixels", values: ["water", "land"] },
    });
    expect(classifierQuality({ ...judge, quality: undefined })).toBeUndefined();
  });

  it("has another key for other files, and takes no classifier of another column", () => {
    const keys = ["ab", "cd"].map((hash) => {
      using network = placeJudge({ path: root, column: "place" }, { hash, device }).network;
      return network.key;
    });
    expect(new Set(keys).size).toBe(2);
    const before = settledTensorCount();
    expect(() => placeJudge({ path: root, column: "pose" }, { hash: "ab", device })).toThrow(
      /recognises "place"/,
    );
    expect(tensorCount()).toBe(before);
  });
});
