import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { ParamStore } from "../nn/index.ts";
import { ConfigError } from "../torch/index.ts";
import {
  AutoencoderKL,
  clipConfig,
  ClipModel,
  clipTextConfig,
  ClipTextModel,
  clipVisionConfig,
  UNet2DConditionModel,
  UNET_DEFAULTS,
  unetConfig,
  vaeConfig,
} from "./index.ts";

const read = (path: string) => JSON.parse(readFileSync(golden(path), "utf8")) as Record<string, unknown>;

type Read = (given: Record<string, unknown>) => object;

/** Every reader with the model that takes what it returns. */
const READERS: [string, Read, (given: Record<string, unknown>) => object][] = [
  ["unetConfig", unetConfig, (given) => new UNet2DConditionModel(ParamStore.shapesOnly(), given)],
  ["vaeConfig", vaeConfig, (given) => new AutoencoderKL(ParamStore.shapesOnly(), given)],
  ["clipTextConfig", clipTextConfig, (given) => new ClipTextModel(ParamStore.shapesOnly(), given)],
  ["clipVisionConfig", clipVisionConfig, (given) => clipVisionConfig(given)],
  ["clipConfig", clipConfig, (given) => new ClipModel(ParamStore.shapesOnly(), given)],
];

describe("configurations", () => {
  it("reads what diffusers and transformers write, and fills in their defaults", () => {
    const file = read("tiny-sd2/unet/config.json");
    const config = unetConfig(file);
    for (const [key, value] of Object.entries(config)) expect(file[key]).toEqual(value);
    expect(unetConfig()).toEqual(UNET_DEFAULTS);
    expect(vaeConfig(read("tiny-sd1/vae/config.json"))).toMatchObject({
      scaling_factor: 0.18215,
      latent_channels: 4,
    });
    const text = read("tiny-sd1/text_encoder/config.json");
    expect(text).toMatchObject(clipTextConfig(text));
    expect(read("tiny-clip/config.json")).toMatchObject(clipConfig(read("tiny-clip/config.json")));
  });

  it.each([
    ["unetConfig", unetConfig, read("tiny-sd2/unet/config.json")],
    ["vaeConfig", vaeConfig, read("tiny-sd1/vae/config.json")],
    ["clipTextConfig", clipTextConfig, read("tiny-sd1/text_encoder/config.json")],
    ["clipConfig", clipConfig, read("tiny-clip/config.json")],
  ] as [string, Read, Record<string, unknown>][])(
    "%s: written and read again it is the same",
    (_, readIt, file) => {
      const config = readIt(file);
      expect(readIt(JSON.parse(JSON.stringify(config)) as Record<string, unknown>)).toEqual(config);
      // Nothing that says something about the model was lost: what the file has is there, or the only supported value.
      expect(readIt({ ...file, ...config })).toEqual(config);
    },
  );

  it.each([
    ["num_attention_heads", 8],
    ["class_embed_type", "timestep"],
    ["num_class_embeds", 1000],
    ["resnet_time_scale_shift", "scale_shift"],
    ["time_cond_proj_dim", 256],
    ["mid_block_type", "UNetMidBlock2DSimpleCrossAttn"],
    ["dropout", 0.1],
    ["norm_num_groups", null],
    ["addition_embed_type", "text_time"],
    ["some_future_option", 1],
  ])("refuses the U-Net option %s = %s by name", (key, value) => {
    expect(() => unetConfig({ [key]: value })).toThrow(ConfigError);
    expect(() => unetConfig({ [key]: value })).toThrow(`${key}: `);
  });

  it("names all unsupported options at once", () => {
    expect(() => unetConfig({ dropout: 0.1, dual_cross_attention: true })).toThrow(
      /dropout[^]*dual_cross_attention/,
    );
  });

  it("refuses lists of wrong length and foreign block types", () => {
    expect(() => unetConfig({ attention_head_dim: [5, 10] })).toThrow(/attention_head_dim: 4 values needed/);
    expect(() => unetConfig({ only_cross_attention: [true] })).toThrow(/only_cross_attention: 4 values/);
    expect(() => unetConfig({ block_out_channels: [32, 64] })).toThrow(/same length/);
    const down_block_types = ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "DownBlock2D"];
    expect(() => unetConfig({ down_block_types })).toThrow(/down_block_types: .*AttnDownBlock2D/);
    expect(() => vaeConfig({ shift_factor: 0.1 })).toThrow(/shift_factor/);
    expect(() => vaeConfig({ down_block_types: ["AttnDownEncoderBlock2D"] })).toThrow(
      /AttnDownEncoderBlock2D/,
    );
    expect(() => clipTextConfig({ attention_dropout: 0.1 })).toThrow(/attention_dropout/);
  });

  it("refuses channels that cannot be split into groups or heads", () => {
    expect(() => unetConfig({ block_out_channels: [320, 640, 1280, 1290] })).toThrow(
      /1290 channels.*32 groups \(norm_num_groups\)/,
    );
    expect(() => unetConfig({ attention_head_dim: [8, 8, 7, 8] })).toThrow(
      /1280 channels.*7 heads \(attention_head_dim\)/,
    );
    // The last level has no attention of its own, but the middle block has.
    const options = { attention_head_dim: [8, 8, 8, 7] };
    expect(() => unetConfig(options)).toThrow(/7 heads/);
    expect(unetConfig({ ...options, mid_block_type: null })).toMatchObject(options);
    expect(() => vaeConfig({ norm_num_groups: 30 })).toThrow(/64 channels.*30 groups/);
    expect(() => clipTextConfig({ num_attention_heads: 7 })).toThrow(/hidden_size: 512.*7 heads/);
    expect(() => clipVisionConfig({ num_attention_heads: 7 })).toThrow(/hidden_size: 768.*7 heads/);
    expect(() => clipVisionConfig({ patch_size: 300 })).toThrow(/patch_size 300.*image_size 224/);
  });

  it.each<[string, unknown, string]>([
    ["block_out_channels", 1e9, "a list of 1 to 16 values, each a whole number from 1 to 65536"],
    ["block_out_channels", [320, 640, 1280, 1e9], "65536"],
    ["block_out_channels", [320, "640", 1280, 1280], "a whole number"],
    ["block_out_channels", [320.5, 640, 1280, 1280], "a whole number"],
    ["block_out_channels", [], "1 to 16 values"],
    ["block_out_channels", Array<number>(1_000_000).fill(320), "1 to 16 values"],
    ["in_channels", "4", "a whole number"],
    ["in_channels", -4, "a whole number"],
    ["in_channels", [4], "a whole number"],
    ["out_channels", Number.NaN, "NaN is not usable"],
    ["layers_per_block", 1e6, "from 1 to 128"],
    ["transformer_layers_per_block", [[1], [1], [1], [1]], "from 1 to 128"],
    ["cross_attention_dim", { dim: 768 }, "a whole number"],
    ["sample_size", [64, 64, 64], "a list of 2 values"],
    ["act_fn", 1, "a text"],
    ["act_fn", "snake", "known are"],
    ["use_linear_projection", "true", "true or false"],
    ["upcast_attention", 1, "true or false"],
    ["conv_in_kernel", 4, "an odd whole number"],
    ["norm_eps", -1e-5, "at least 0"],
    ["mid_block_scale_factor", 0, "above 0"],
    ["addition_embed_type_num_heads", "x", "a whole number"],
  ])("refuses the U-Net option %s when it is %j", (key, value, expected) => {
    expect(() => unetConfig({ [key]: value })).toThrow(ConfigError);
    expect(() => unetConfig({ [key]: value })).toThrow(`${key}: `);
    expect(() => unetConfig({ [key]: value })).toThrow(expected);
    try {
      unetConfig({ [key]: value });
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(400);
    }
  });

  it("survives anything: a model can be built, or a ConfigError tells why not", () => {
    const wrong = fc.oneof(
      fc.anything({ maxDepth: 2, withNullPrototype: true, withBigInt: true }),
      fc.double(),
      fc.integer(),
      fc.array(fc.integer({ min: -2, max: 2000 }), { maxLength: 20 }),
      fc.constantFrom(0, 1, 1e9, -1, 0.5, null, [1e9], "8", [[8]], true),
    );
    for (const [name, readIt, build] of READERS) {
      const keys = fc.constantFrom(
        ...Object.keys(readIt({})),
        "__proto__",
        "constructor",
        "text_config_dict",
      );
      const given = fc.dictionary(keys, wrong, { minKeys: 1, maxKeys: 3 });
      fc.assert(
        fc.property(given, (options) => {
          try {
            build(options);
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error;
            expect(error.message.length, name).toBeLessThan(2000);
          }
        }),
        { seed: 11, numRuns: 300 },
      );
    }
  });

  it("names the option in every complaint about a kind", () => {
    for (const [, readIt] of READERS) {
      for (const key of Object.keys(readIt({}))) {
        // Nothing accepts an object of unknown options, except the halves of CLIP.
        if (key === "text_config" || key === "vision_config") continue;
        expect(() => readIt({ [key]: { a: 1 } })).toThrow(ConfigError);
        expect(() => readIt({ [key]: { a: 1 } })).toThrow(`${key}: {"a":1} is not usable; expected `);
      }
    }
  });

  it.each([[null], ["text"], [[1]], [7]])("refuses %j in the place of a configuration", (given) => {
    for (const [, readIt] of READERS) {
      expect(() => readIt(given as unknown as Record<string, unknown>)).toThrow(ConfigError);
    }
    expect(() => clipConfig({ text_config: given ?? 0 })).toThrow(/text_config configuration/);
  });
});

describe("CLIP's configuration", () => {
  it("takes what old files call text_config_dict and vision_config_dict before the new names", () => {
    // As openai/clip-vit-large-patch14 has it, shortened.
    const config = clipConfig({
      model_type: "clip",
      projection_dim: 768,
      text_config: { hidden_size: 512, eos_token_id: 2, torchscript: false, problem_type: null },
      text_config_dict: { hidden_size: 768, num_attention_heads: 12, projection_dim: 768 },
      vision_config: { hidden_size: 1024, num_attention_heads: 16, patch_size: 14 },
      vision_config_dict: null,
      transformers_version: null,
    });
    expect(config).toMatchObject({ projection_dim: 768, logit_scale_init_value: 2.6592 });
    expect(config.text_config).toMatchObject({ hidden_size: 768, eos_token_id: 49407 });
    expect(config.vision_config).toMatchObject({ hidden_size: 1024, patch_size: 14, image_size: 224 });
  });

  it.each([
    [{ model_type: "siglip" }, /CLIPModel configuration:\n {2}model_type: "siglip" is not supported/],
    [
      { text_config: { pruned_heads: { "0": [1] } } },
      /CLIPModel text_config configuration:\n {2}pruned_heads/,
    ],
    [{ text_config: { eos_token_id: [1, 2] } }, /eos_token_id: \[1,2\]/],
    [{ vision_config: { image_size: [224, 224] } }, /CLIPModel vision_config configuration:\n {2}image_size/],
    [{ vision_config: { hidden_act: "mish" } }, /hidden_act: unknown activation "mish"/],
  ])("refuses %j", (given, message) => {
    expect(() => clipConfig(given)).toThrow(ConfigError);
    expect(() => clipConfig(given)).toThrow(message);
  });

  it("refuses a text encoder that would need the padding's mask", () => {
    expect(() => clipTextConfig({ use_attention_mask: true })).toThrow(/use_attention_mask/);
    expect(clipTextConfig({ use_attention_mask: false, pruned_heads: {} })).toEqual(clipTextConfig());
  });
});
