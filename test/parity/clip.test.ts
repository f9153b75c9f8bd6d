// CLIP from pictures and prompts to scores against transformers and torchmetrics. Goldens: clip, tiny-clip.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { clipPixelValues } from "../../src/data/index.ts";
import { clipScore, clipScores } from "../../src/metrics/index.ts";
import { loadClip, loadClipImageOptions } from "../../src/models/index.ts";
import { ClipTokenizer } from "../../src/tokenizers/index.ts";
import { noGrad, scope, tensor, type Tensor } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { within } from "./within.ts";

const { prompts, clip_score_mean: mean } = JSON.parse(readFileSync(golden("clip.json"), "utf8")) as {
  prompts: string[];
  clip_score_mean: number;
};

const largest = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item();

describe("clip", () => {
  it("pixel values, embeddings, scores", () => {
    const expected = readSafetensors(golden("clip.safetensors"));
    const get = (key: string) => expected.get(key)!;
    using clip = loadClip(golden("tiny-clip"));
    const { inputIds, shape } = ClipTokenizer.load(golden("tiny-clip")).encode(prompts);
    noGrad(() =>
      scope(() => {
        const pixels = clipPixelValues(get("images_u8"), loadClipImageOptions(golden("tiny-clip")));
        expect(pixels.shape).toEqual(get("pixel_values").shape);
        within("clip: pixel values", "two pictures", largest(pixels, get("pixel_values")), 2e-2);
        const given = clip.imageEmbeds(get("pixel_values"));
        within("clip: image embeddings", "two pictures", relativeError(given, get("image_embeds")), 1e-5);
        // From here on with our own pixels.
        const images = clip.imageEmbeds(pixels);
        // Python padded to the longer prompt and gave the mask; here to 77 without one.
        const texts = clip.textEmbeds(tensor(inputIds, { shape }));
        within("clip: text embeddings", "two prompts", relativeError(texts, get("text_embeds")), 1e-5);
        const scores = clipScores(images, texts);
        within("clip: scores", "two pairs", largest(scores, get("scores")), 0.1);
        within("clip: mean score", "two pairs", Math.abs(clipScore(images, texts) - mean), 0.1);
      }),
    );
    for (const value of expected.values()) value.dispose();
  });
});
