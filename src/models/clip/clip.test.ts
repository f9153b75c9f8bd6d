// Both towers against transformers (tools/golden/clip-towers.py).
import { describe, expect, it } from "vitest";
import { fill, wave } from "../../../test/closed-form.ts";
import { ownGolden } from "../../../test/own-golden.ts";
import { relativeError } from "../../../test/tensors.ts";
import { cat, ConfigError, noGrad, scope, ShapeError, tensor } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { ClipTextConfig, ClipVisionConfig } from "./index.ts";
import { ClipModel, ClipTextModel } from "./index.ts";

const golden = ownGolden("clip-towers");
const { text, vision } = golden.json("config") as { text: ClipTextConfig; vision: ClipVisionConfig };
const ids = golden.get("input_ids");
const expectGolden = (actual: Tensor, key: string) =>
  expect(relativeError(actual, golden.get(key)), key).toBeLessThan(1e-5);

const textModel = (options: Partial<ClipTextConfig> = {}) =>
  fill(ClipTextModel.seeded({ ...text, ...options }, 0, { withProjection: true }));
const clipModel = () =>
  fill(ClipModel.seeded({ text_config: text, vision_config: vision, projection_dim: 6 }, 0));

describe("ClipTextModel", () => {
  it("equals transformers: last state, states of earlier layers, end token, projection", () => {
    using model = textModel();
    noGrad(() =>
      scope(() => {
        expectGolden(model.forward(ids), "text.last_hidden_state");
        for (const clipSkip of [0, 1, 2, 3]) {
          expectGolden(model.forward(ids, { clipSkip }), `text.skip${clipSkip}`);
        }
        expectGolden(model.pooled(ids), "text.pooled");
        expectGolden(model.textEmbeds(ids), "text.text_embeds");
      }),
    );
  });

  it("takes the highest id for the end where eos_token_id is 2, as in files before 2023", () => {
    using model = textModel({ eos_token_id: 2 });
    noGrad(() => scope(() => expectGolden(model.pooled(ids), "text.pooled-legacy")));
  });

  it("says what is wrong with a text or a number of skipped layers", () => {
    using model = fill(ClipTextModel.seeded(text, 0));
    scope(() => {
      expect(() => model.forward(ids.repeat([1, 2]))).toThrow(/14 tokens.*max_position_embeddings 9/);
      for (const clipSkip of [4, -1, 0.5, Number.NaN]) {
        expect(() => model.forward(ids, { clipSkip })).toThrow(ConfigError);
      }
      expect(model.hasProjection).toBe(false);
      expect(() => model.textEmbeds(ids)).toThrow(/text_projection/);
    });
  });

  it("keeps its keys and its projection in a clone", () => {
    using model = textModel();
    using copy = model.clone();
    expect([...copy.stateDict().keys()]).toEqual([...model.stateDict().keys()]);
    expect([...copy.stateDict().keys()]).toContain("text_projection.weight");
    noGrad(() => scope(() => expectGolden(copy.textEmbeds(ids), "text.text_embeds")));
  });
});

describe("ClipModel", () => {
  const pixels = () => wave([2, 3, 13, 13], 4);

  it("equals transformers: embeddings of texts and images, their fit", () => {
    using model = clipModel();
    noGrad(() =>
      scope(() => {
        // Python was given the padding's mask.
        expectGolden(model.textEmbeds(ids), "clip.text_embeds");
        expectGolden(model.imageEmbeds(pixels()), "clip.image_embeds");
        expectGolden(model.logitsPerImage(pixels(), ids), "clip.logits_per_image");
      }),
    );
  });

  it("looks at nothing after the end of a text, however it is padded", () => {
    using model = clipModel();
    noGrad(() =>
      scope(() => {
        const short = model.textEmbeds(ids);
        for (const id of [0, 18, 19]) {
          const padding = tensor([id, id], { dtype: "int64" }).expand([3, 2]);
          expect(relativeError(model.textEmbeds(cat([ids, padding], 1)), short)).toBeLessThan(1e-6);
        }
      }),
    );
  });

  it("has the keys of published files", () => {
    using model = clipModel();
    const keys = [...model.stateDict().keys()].filter((key) => !key.includes("encoder.layers"));
    expect(keys.sort()).toEqual([
      "logit_scale",
      "text_model.embeddings.position_embedding.weight",
      "text_model.embeddings.token_embedding.weight",
      "text_model.final_layer_norm.bias",
      "text_model.final_layer_norm.weight",
      "text_projection.weight",
      "vision_model.embeddings.class_embedding",
      "vision_model.embeddings.patch_embedding.weight",
      "vision_model.embeddings.position_embedding.weight",
      "vision_model.post_layernorm.bias",
      "vision_model.post_layernorm.weight",
      "vision_model.pre_layrnorm.bias",
      "vision_model.pre_layrnorm.weight",
      "visual_projection.weight",
    ]);
    using copy = model.clone();
    expect([...copy.stateDict().keys()]).toEqual([...model.stateDict().keys()]);
  });

  it("refuses images of another size", () => {
    using model = clipModel();
    scope(() => {
      expect(() => model.imageEmbeds(wave([1, 3, 12, 13], 0))).toThrow(ShapeError);
      expect(() => model.imageEmbeds(wave([1, 3, 12, 13], 0))).toThrow(/\[1, 3, 12, 13\].*\[N, 3, 13, 13\]/);
      expect(() => model.imageEmbeds(wave([3, 13, 13], 0))).toThrow(ShapeError);
    });
  });
});
