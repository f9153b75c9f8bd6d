/**
 * CLIP's embeddings of pictures and texts, of length 1, for CLIP-T (clip-score.ts). Pictures are prepared by the model's own
 * preprocessor_config.json, as torchmetrics does with the original picture. The reference squeezes them to 224 x 224 pixels
 * first (bilinear, 8 bit), so that what the preprocessor would crop is seen, distorted; scores differ a little.
 */
import { clipPixelValues } from "../../data/index.ts";
import { loadClip, loadClipImageOptions } from "../../models/index.ts";
import { ClipTokenizer } from "../../tokenizers/index.ts";
import { cat, keep, noGrad, scope, tensor, zeros } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import { type FeatureNetwork, type FeatureNetworkOptions, makeFeatureNetwork } from "./feature-network.ts";

export interface ClipFeatures extends FeatureNetwork {
  readonly kind: "clip-image";
  /** Embeddings of texts in the pictures' space, float32 [N, dimensions] on the CPU that no scope owns. */
  textFeatures(texts: readonly string[]): Tensor;
}

/** From the folder of a transformers CLIPModel with its tokenizer and preprocessor. @throws CheckpointError, ConfigError */
export function clipImageFeatures(
  folder: string,
  { key, device = "cpu", batchSize = 16 }: FeatureNetworkOptions,
): ClipFeatures {
  const imageOptions = loadClipImageOptions(folder);
  const tokenizer = ClipTokenizer.load(folder);
  const clip = loadClip(folder, { dtype: "float32", device });
  const { projection_dim: dimensions, text_config: text, vision_config: vision } = clip.config;
  const maxLength = text.max_position_embeddings;
  const images = makeFeatureNetwork({
    ...{ key, device, batchSize, dimensions },
    kind: "clip-image",
    name: `CLIP image embeddings (${vision.image_size} pixels, patches of ${vision.patch_size})`,
    recipe: `${JSON.stringify(imageOptions)} 1`,
    prepare: (pictures) => clipPixelValues(pictures, imageOptions),
    embed: (input) => clip.imageEmbeds(input),
    network: clip,
  });
  const embedTexts = (texts: readonly string[]): Tensor =>
    scope(() => {
      const { inputIds, shape } = tokenizer.encode(texts, { maxLength });
      return clip.textEmbeds(tensor(inputIds, { shape, device })).to("cpu");
    });
  return {
    ...images,
    kind: "clip-image",
    textFeatures(texts) {
      const starts = Array.from({ length: Math.ceil(texts.length / batchSize) }, (_, i) => i * batchSize);
      return keep(
        noGrad(() =>
          scope(() =>
            texts.length === 0
              ? zeros([0, dimensions])
              : cat(starts.map((start) => embedTexts(texts.slice(start, start + batchSize)))),
          ),
        ),
      );
    },
  };
}
