import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { writeTonedPictures } from "../../../test/toned-pictures.ts";
import { loadImages } from "../../data/index.ts";
import { loadResnet, Resnet } from "../../models/index.ts";
import { writeWeights } from "../../checkpoint/index.ts";
import { CheckpointError, DataError, tensorCount, UserError } from "../../torch/index.ts";
import { type ClassifierFile, openClassifier, trainClassifier, trainClassifierRequest } from "./index.ts";

let root = "";
let data = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "classifier-"));
  data = join(root, "pictures");
  await writeTonedPictures(data, { train: 31, validation: 12, test: 10 });
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const small = { imageSize: 32, epochs: 2, batchSize: 5, lr: 1e-3, seed: 1, threads: 1 };
const requestOf = (out: string, given: Partial<Parameters<typeof trainClassifierRequest>[0]> = {}) =>
  trainClassifierRequest({ data, column: "tone", out: join(root, out), ...small, ...given });
const bytesOf = (...path: string[]): Buffer => readFileSync(join(root, ...path));

/** Trains until so many batches are done (in all, with those before), then stops as Ctrl-C does. */
async function stopAfter(out: string, batches: number, given = {}): Promise<void> {
  const controller = new AbortController();
  const run = trainClassifier(requestOf(out, given), {
    signal: controller.signal,
    onProgress: ({ task, done }) => {
      if (task === "training" && done === batches) controller.abort(new Error("stopped"));
    },
  });
  await expect(run).rejects.toThrow("stopped");
}

describe("a classifier of an obvious attribute", () => {
  const epochs: number[] = [];
  let before = 0;

  beforeAll(async () => {
    before = settledTensorCount();
    await trainClassifier(requestOf("whole"), { onEpoch: ({ epoch }) => epochs.push(epoch) });
  }, 120_000);

  it("is learnt, measured on every split and written whole", () => {
    expect(epochs).toEqual([1, 2]);
    expect(tensorCount()).toBe(before);
    expect(readdirSync(join(root, "whole")).sort()).toEqual([
      "classifier.json",
      "confusion.png",
      "metrics.jsonl",
      "model.safetensors",
    ]);
    const file = JSON.parse(bytesOf("whole", "classifier.json").toString()) as ClassifierFile;
    expect(file).toMatchObject({
      column: "tone",
      values: ["dark", "light"],
      architecture: "resnet18",
      imageSize: 32,
      finished: true,
      seed: 1,
      data: {
        counts: {
          train: { dark: 16, light: 15 },
          validation: { dark: 6, light: 6 },
          test: { dark: 5, light: 5 },
        },
        validationDrawn: false,
      },
    });
    const { test, validation, train } = file.metrics;
    expect([test?.accuracy, validation.f1]).toEqual([1, 1]);
    expect(test?.confusion).toEqual([
      [5, 0],
      [0, 5],
    ]);
    expect(train?.images).toBe(31);
    const lines = bytesOf("whole", "metrics.jsonl").toString().trim().split("\n");
    const best = JSON.parse(lines[file.bestEpoch - 1]!) as Record<string, number>;
    expect(best["f1"]).toBe(validation.f1);
    expect(best["loss"]).toBe(validation.loss);
  });

  it("is opened and judges pictures of any size as it was measured", async () => {
    using classifier = openClassifier(join(root, "whole"), { device: "cpu", column: "tone" });
    expect(classifier).toMatchObject({
      column: "tone",
      values: ["dark", "light"],
      architecture: "ResNet-18, 32 pixels",
      accuracy: { value: 1, interval: [1, 1] },
      heldOutImages: 10,
    });
    const files = Array.from({ length: 10 }, (_, i) => join(data, "test", `${i}.png`));
    for (const size of [32, 50]) {
      using images = await loadImages(files, { size });
      const { classes, probabilities } = classifier.classify(images);
      expect([...classes]).toEqual(files.map((_, i) => i % 2));
      for (let i = 0; i < 10; i++)
        expect(probabilities[2 * i]! + probabilities[2 * i + 1]!).toBeCloseTo(1, 5);
    }
  });

  it("is the same to the bit when it is stopped in the middle of epochs and before one is judged", async () => {
    await stopAfter("stopped", 2);
    await stopAfter("stopped", 6);
    expect(existsSync(join(root, "stopped", "model.safetensors"))).toBe(false);
    await stopAfter("stopped", 9);
    const notes: string[] = [];
    await trainClassifier(requestOf("stopped"), { onNote: (text) => notes.push(text) });
    expect(notes).toEqual(["Resuming in epoch 2 of 2, after 3 batches."]);
    for (const name of ["model.safetensors", "metrics.jsonl", "confusion.png", "classifier.json"])
      expect(bytesOf("stopped", name).equals(bytesOf("whole", name))).toBe(true);
    expect(readdirSync(join(root, "stopped")).sort()).toEqual(readdirSync(join(root, "whole")).sort());
  }, 120_000);

  it("begins anew when the best weights are gone", async () => {
    await stopAfter("lost", 8);
    rmSync(join(root, "lost", "model.safetensors"));
    const notes: string[] = [];
    await trainClassifier(requestOf("lost"), { onNote: (text) => notes.push(text) });
    expect(notes).toEqual([expect.stringMatching(/model\.safetensors, .* is gone: training anew/)]);
    for (const name of ["model.safetensors", "metrics.jsonl"])
      expect(bytesOf("lost", name).equals(bytesOf("whole", name))).toBe(true);
  }, 120_000);

  it("is not trained again, and not replaced by another one without being told to", async () => {
    const weights = bytesOf("whole", "model.safetensors");
    const again = await trainClassifier(requestOf("whole", { threads: 2 }));
    expect(again.reused).toBe(true);
    const other = trainClassifier(requestOf("whole", { balance: true, epochs: 1 }));
    await expect(other).rejects.toThrow(UserError);
    await expect(other).rejects.toThrow(
      /other settings \(old -> new\):\n {2}epochs: 2 -> 1\n {2}balance: false -> true/,
    );
    expect(bytesOf("whole", "model.safetensors").equals(weights)).toBe(true);
    await stopAfter("forced", 4);
    const { file } = await trainClassifier(requestOf("forced", { epochs: 1, seed: 2, force: true }));
    expect([file.seed, file.finished]).toEqual([2, true]);
    expect(bytesOf("forced", "metrics.jsonl").toString().trim().split("\n")).toHaveLength(1);
  }, 120_000);

  it("sees the same pictures whether they stay in memory or not", async () => {
    await trainClassifier(requestOf("decoded", { epochs: 1, memoryBytes: 0 }));
    const [line] = bytesOf("whole", "metrics.jsonl").toString().split("\n");
    expect(bytesOf("decoded", "metrics.jsonl").toString()).toBe(`${line}\n`);
  }, 120_000);
});

describe("options of the training", () => {
  it("starts from the given weights and gives them a last layer for the values", async () => {
    using source = Resnet.seeded({ architecture: "resnet18", numClasses: 1000 }, { seed: 9 });
    writeWeights(join(root, "imagenet"), "model", source.stateDict());
    const tiny = { column: "third", init: join(root, "imagenet"), lr: 1e-12, epochs: 1, batchSize: 26 };
    const { file } = await trainClassifier(requestOf("initialised", tiny));
    expect(file.values).toEqual(["0", "1", "2"]);
    expect(file.metrics.test?.confusion).toHaveLength(3);
    expect(file.metrics.test?.auc).toBeUndefined();
    using trained = loadResnet(join(root, "initialised"));
    const first = (model: Resnet) => model.stateDict().get("conv1.weight")!.toNumbers();
    const [ours, given] = [first(trained), first(source)];
    expect(Math.max(...ours.map((value, i) => Math.abs(value - given[i]!)))).toBeLessThan(1e-9);
  }, 60_000);

  it("draws the validation images from the training ones when there are none", async () => {
    const folder = join(root, "no-splits");
    await writeTonedPictures(folder, { train: 20 });
    const { file } = await trainClassifier(requestOf("drawn", { data: folder, epochs: 1, batchSize: 9 }));
    expect(file.data).toMatchObject({
      validationDrawn: true,
      counts: { train: { dark: 9, light: 9 }, validation: { dark: 1, light: 1 } },
    });
    expect(file.metrics.test).toBeUndefined();
    using classifier = openClassifier(join(root, "drawn"), { device: "cpu" });
    expect(classifier.heldOutImages).toBe(2);
  }, 60_000);
});

describe("what does not fit is said, and nothing is written", () => {
  const refused = async (
    kind: new (...args: never[]) => Error,
    pattern: RegExp,
    given: Partial<Parameters<typeof trainClassifierRequest>[0]>,
  ) => {
    const run = trainClassifier(requestOf("refused", given));
    await expect(run).rejects.toThrow(kind);
    await expect(run).rejects.toThrow(pattern);
    expect(existsSync(join(root, "refused"))).toBe(false);
  };

  it("a column that is not there, has one value, or a value for every picture", async () => {
    await refused(
      DataError,
      /train.metadata\.jsonl, line 1: "0\.png" has no text or number under "tones".*tone/,
      {
        column: "tones",
      },
    );
    await refused(DataError, /"same" is x for all 53 images/, { column: "same" });
    await refused(DataError, /"number" has 31 values for 53 images/, { column: "number" });
  });

  it("no data, a broken picture, weights of another network", async () => {
    await refused(DataError, /There is no folder .*nowhere/, { data: join(root, "nowhere") });
    const broken = join(root, "broken-set");
    await writeTonedPictures(broken, { train: 8, validation: 4 });
    writeFileSync(join(broken, "train", "3.png"), "no picture");
    const run = trainClassifier(requestOf("broken", { data: broken, epochs: 1 }));
    await expect(run).rejects.toThrow(/3\.png cannot be read as an image/);
    mkdirSync(join(root, "other"));
    writeFileSync(join(root, "other", "model.pth"), "no weights");
    await refused(CheckpointError, /model\.pth/, { init: join(root, "other") });
    await refused(CheckpointError, /it holds a resnet18; expected a resnet50/, {
      init: join(root, "whole"),
      model: "resnet50",
    });
  });

  it("a folder with other files", async () => {
    mkdirSync(join(root, "full"));
    writeFileSync(join(root, "full", "notes.txt"), "mine");
    for (const force of [false, true])
      await expect(trainClassifier(requestOf("full", { force }))).rejects.toThrow(
        /full exists and holds other files \(notes\.txt\)/,
      );
    expect(() => trainClassifierRequest({ data, column: "tone", out: "x", epochs: 0 })).toThrow(/epochs/);
  });
});
