// CLIP as a feature network; its numbers against transformers and torchmetrics (golden: clip, tiny-clip).
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { featureNetworkContract, pictures } from "../../../test/contracts/feature-network.ts";
import { golden } from "../../../test/golden-dir.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { relativeError } from "../../../test/tensors.ts";
import { readSafetensors } from "../../checkpoint/index.ts";
import { CheckpointError, scope, tensorCount } from "../../torch/index.ts";
import { clipScore } from "../clip-score.ts";
import { clipImageFeatures } from "./clip.ts";

const FOLDER = golden("tiny-clip");
const key = "0".repeat(64);

featureNetworkContract("CLIP", (options) => clipImageFeatures(FOLDER, options));

describe("clipImageFeatures", () => {
  const { prompts, clip_score_mean: mean } = JSON.parse(readFileSync(golden("clip.json"), "utf8")) as {
    prompts: string[];
    clip_score_mean: number;
  };

  it("gives transformers' embeddings and torchmetrics' score from the pictures themselves", () => {
    using network = clipImageFeatures(FOLDER, { key });
    const expected = readSafetensors(golden("clip.safetensors"));
    const get = (name: string) => expected.get(name)!;
    using images = network.features(get("images_u8"));
    using texts = network.textFeatures(prompts);
    expect(relativeError(images, get("image_embeds"))).toBeLessThan(2e-3);
    expect(relativeError(texts, get("text_embeds"))).toBeLessThan(1e-5);
    expect(Math.abs(clipScore(images, texts) - mean)).toBeLessThan(0.1);
    for (const value of expected.values()) value.dispose();
  });

  it("embeds texts in turns, none too, and keeps nothing", () => {
    using network = clipImageFeatures(FOLDER, { key });
    using inTurns = clipImageFeatures(FOLDER, { key, batchSize: 2 });
    const texts = [...prompts, "a", "", "a photo of ".repeat(60)];
    const count = settledTensorCount();
    const all = network.textFeatures(texts);
    expect(tensorCount()).toBe(count + 1);
    expect([...all.shape]).toEqual([texts.length, network.dimensions]);
    using again = inTurns.textFeatures(texts);
    expect(relativeError(again, all)).toBeLessThan(1e-5);
    scope(() => {
      const lengths = all.square().sum([1]).toNumbers();
      for (const length of lengths) expect(Math.abs(length - 1)).toBeLessThan(1e-5);
    });
    using none = network.textFeatures([]);
    expect([...none.shape]).toEqual([0, network.dimensions]);
    all.dispose();
  });

  it("has another key with another preprocessing, and other features", () => {
    const folder = mkdtempSync(join(tmpdir(), "clip-"));
    try {
      cpSync(FOLDER, folder, { recursive: true });
      const path = join(folder, "preprocessor_config.json");
      const config = JSON.parse(readFileSync(path, "utf8")) as object;
      writeFileSync(path, JSON.stringify({ ...config, resample: 2 }));
      using bicubic = clipImageFeatures(FOLDER, { key });
      using bilinear = clipImageFeatures(folder, { key });
      expect(bilinear.key).not.toBe(bicubic.key);
      scope(() => {
        const images = pictures(1);
        using first = bicubic.features(images);
        using second = bilinear.features(images);
        expect(relativeError(first, second)).toBeGreaterThan(1e-4);
      });
      rmSync(path);
      const count = settledTensorCount();
      expect(() => clipImageFeatures(folder, { key })).toThrow(CheckpointError);
      expect(tensorCount()).toBe(count);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
