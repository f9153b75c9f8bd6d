import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fill } from "../../../test/closed-form.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { writeTorchStateDict } from "../../../test/torch-state-dict.ts";
import { Resnet } from "../../models/index.ts";
import { ParamStore } from "../../nn/index.ts";
import {
  CheckpointError,
  ConfigError,
  Generator,
  randint,
  scope,
  ShapeError,
  tensorCount,
} from "../../torch/index.ts";
import { writeClassifierFile } from "./classifier-file.ts";
import { openClassifier } from "./index.ts";
import { IMAGENET, normalised, squashed } from "../../data/imagenet.ts";

const device = "cpu";
let root = "";
let model: Resnet;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "open-classifier-"));
  model = fill(new Resnet(ParamStore.seeded(), { architecture: "resnet18", numClasses: 3 }));
  mkdirSync(join(root, "reference"));
  writeTorchStateDict(join(root, "reference", "model.pth"), model.stateDict());
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(root, { recursive: true });
});

const images = () =>
  randint(256, [3, 3, 40, 60], { generator: new Generator().manualSeed(2), dtype: "uint8" });
const reference = () => join(root, "reference", "model.pth");

describe("the reference's files", () => {
  it("are classified with its preprocessing, whatever the size of the images", () => {
    using given = images();
    using classifier = openClassifier(reference(), { device });
    const expected = scope(() =>
      model
        .forward(normalised(squashed(given, 224), { ...IMAGENET, device }))
        .softmax(1)
        .toNumbers(),
    );
    const { classes, probabilities } = classifier.classify(given);
    expect([...probabilities].map((value, i) => Math.abs(value - expected[i]!) < 1e-5)).not.toContain(false);
    const rows = [0, 1, 2].map((row) => expected.slice(3 * row, 3 * row + 3));
    expect([...classes]).toEqual(rows.map((row) => row.indexOf(Math.max(...row))));
    expect(classifier).toMatchObject({
      column: "attribute",
      values: ["0", "1", "2"],
      architecture: "ResNet-18, 224 pixels",
    });
    expect(classifier.accuracy).toBeUndefined();
  });

  it("are called as the caller says, with what the reference wrote beside them", () => {
    const folder = join(root, "reference");
    const metrics = (accuracy: number) => ({ accuracy, precision: 0.5, recall: 0.25, f1: 0.125, auc: null });
    const names = { column: "race", values: ["a", "b", "c"] };
    writeFileSync(join(folder, "metrics_all.json"), JSON.stringify({ valid: metrics(0.75) }));
    using chosen = openClassifier(folder, { device, ...names });
    expect(chosen).toMatchObject({ ...names, reported: { accuracy: 0.75, recall: 0.25, auc: undefined } });
    writeFileSync(
      join(folder, "merrics_all.json"),
      JSON.stringify({ valid: metrics(0.75), test: metrics(0.7) }),
    );
    using tested = openClassifier(folder, { device, ...names });
    expect(tested.reported?.accuracy).toBe(0.7);
  });

  it("must have as many classes as there are names", () => {
    const before = settledTensorCount();
    const open = () => openClassifier(reference(), { device, values: ["a", "b"] });
    expect(open).toThrow(ConfigError);
    expect(open).toThrow(/tells 3 values apart, but 2 are named \(a, b\)/);
    expect(() => openClassifier(join(root, "nothing"), { device })).toThrow(CheckpointError);
    expect(tensorCount()).toBe(before);
  });
});

describe("our folders", () => {
  const folder = () => join(root, "ours");
  beforeAll(() => {
    mkdirSync(folder());
    const { mean, std } = IMAGENET;
    const measured = {
      ...{ images: 40, loss: 0.5, accuracy: 0.75, interval: [0.6, 0.9] as [number, number] },
      ...{ precision: 0.7, recall: 0.8, f1: 0.74, macroF1: 0.74 },
      confusion: [
        [10, 2, 1],
        [3, 10, 1],
        [2, 1, 10],
      ],
    };
    writeClassifierFile(folder(), {
      ...{ invdiff: "0", architecture: "resnet18", column: "race", values: ["x", "y", "z"], imageSize: 48 },
      ...{ mean: [...mean], std: [...std], bestEpoch: 2, finished: true, seed: 0, settings: {} },
      metrics: { validation: measured },
      data: { path: "set", fingerprint: "f", counts: {}, validationDrawn: true },
    });
  });

  it("need their weights, and are taken for no other attribute by accident", () => {
    expect(() => openClassifier(folder(), { device })).toThrow(/model\.safetensors does not exist/);
    const other = () => openClassifier(folder(), { device, column: "gender" });
    expect(other).toThrow(ConfigError);
    expect(other).toThrow(/recognises "race" \(x, y, z\), not "gender"/);
  });

  it("say when their description is broken or newer than this program", () => {
    const path = join(folder(), "classifier.json");
    copyFileSync(path, `${path}.whole`);
    const text = readFileSync(path, "utf8");
    const refused = (content: string, pattern: RegExp) => {
      writeFileSync(path, content);
      expect(() => openClassifier(folder(), { device })).toThrow(CheckpointError);
      expect(() => openClassifier(folder(), { device })).toThrow(pattern);
    };
    refused(text.slice(0, 40), /classifier\.json is no JSON/);
    refused(text.replace('"version": 1', '"version": 2'), /has version 2; this program reads version 1/);
    refused(text.replace('"resnet18"', '"vgg16"'), /describes no classifier \(architecture: /);
    copyFileSync(`${path}.whole`, path);
  });

  it("refuse images that are no bytes", () => {
    using classifier = openClassifier(reference(), { device });
    using given = images();
    using floats = given.to("float32");
    using picture = given.select(0, 0);
    for (const wrong of [floats, picture]) expect(() => classifier.classify(wrong)).toThrow(ShapeError);
    expect(() => classifier.classify(floats)).toThrow(
      /float32 \[3, 3, 40, 60\]; expected uint8 \[N, 3, H, W\]/,
    );
  });
});
