import { describe, expect, it } from "vitest";
import { architectureHint } from "./architecture-hint.ts";
import { STABLE_DIFFUSION_1_4, STABLE_DIFFUSION_2_1 } from "./index.ts";

const CROSS = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight";
const PROJ = "down_blocks.0.attentions.0.proj_in.weight";
const TOKENS = "text_model.embeddings.token_embedding.weight";
const SD1 = { ...STABLE_DIFFUSION_1_4.unet, use_linear_projection: false };
const SD2 = STABLE_DIFFUSION_2_1.unet;

const hint = (shapes: Record<string, number[]>, config: object) =>
  architectureHint(
    new Map(Object.entries(shapes).map(([key, shape]) => [key, { shape }])),
    config as Record<string, unknown>,
  );

describe("weights that do not fit look like", () => {
  it.each([
    [
      { [CROSS]: [320, 1024] },
      SD1,
      "These look like weights for cross_attention_dim 1024 (Stable Diffusion 2.x), the configuration says 768 (Stable Diffusion 1.x).",
    ],
    [
      { [CROSS]: [320, 768] },
      SD2,
      "These look like weights for cross_attention_dim 768 (Stable Diffusion 1.x), the configuration says 1024 (Stable Diffusion 2.x).",
    ],
    [{ "add_embedding.linear_1.weight": [1, 1] }, SD2, "These look like the weights of Stable Diffusion XL."],
    [
      { [TOKENS]: [49408, 1024] },
      STABLE_DIFFUSION_1_4.textEncoder,
      "These look like weights for hidden_size 1024 (Stable Diffusion 2.x), the configuration says 768 (Stable Diffusion 1.x).",
    ],
    [
      { "conv_in.weight": [320, 9, 3, 3] },
      SD1,
      "These look like the weights of a U-Net for inpainting (9 input channels), which is not text to image.",
    ],
    [
      { [PROJ]: [320, 320] },
      SD1,
      "The weights have linear layers around the transformers, the configuration says use_linear_projection false.",
    ],
    [
      { [PROJ]: [320, 320, 1, 1] },
      SD2,
      "The weights have convolutions around the transformers, the configuration says use_linear_projection true.",
    ],
    [
      { "decoder.conv_in.weight": [1] },
      SD1,
      "These look like the weights of an autoencoder, the configuration is that of a U-Net.",
    ],
    [
      { "time_embedding.linear_1.weight": [1] },
      STABLE_DIFFUSION_1_4.vae,
      "These look like the weights of a U-Net, the configuration is that of an autoencoder.",
    ],
  ])("%j", (shapes, config, expected) => {
    expect(hint(shapes, config)).toBe(expected);
  });

  it("adapters, or both networks of InvDiff in one file", () => {
    expect(hint({ "unet.x.lora_A.weight": [1] }, SD1)).toContain("LoRA adapters");
    expect(hint({ "pretrain_unet.a": [1], "delta.a": [1] }, SD1)).toContain("loadInvdiffCheckpoint");
  });

  it("nothing, when nothing is recognised", () => {
    expect(
      hint({ "conv_in.weight": [320, 4, 3, 3], [CROSS]: [320, 768], [PROJ]: [320, 320, 1, 1] }, SD1),
    ).toBeUndefined();
    expect(hint({}, {})).toBeUndefined();
  });
});
