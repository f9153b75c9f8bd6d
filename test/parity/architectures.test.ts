// Parameter counts, keys, shapes and configurations of the published architectures, without allocating them.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  AutoencoderKL,
  clipTextConfig,
  ClipTextModel,
  GUIDANCE_SIZES,
  guidanceUnetConfig,
  STABLE_DIFFUSION_1_4,
  STABLE_DIFFUSION_1_5,
  STABLE_DIFFUSION_2_1,
  STABLE_DIFFUSION_2_1_BASE,
  UNet2DConditionModel,
  unetConfig,
  vaeConfig,
} from "../../src/models/index.ts";
import { ParamStore } from "../../src/nn/index.ts";
import { golden } from "../golden-dir.ts";
import { within } from "./within.ts";

interface Architecture {
  parameters: number;
  shapes: Record<string, number[]>;
  config: Record<string, unknown>;
}

const architectures = JSON.parse(readFileSync(golden("architectures.json"), "utf8")) as Record<
  string,
  Architecture
>;

const build = (name: string, config: object) => {
  const vs = ParamStore.shapesOnly();
  if (name.endsWith("vae")) return new AutoencoderKL(vs, config);
  if (name.endsWith("text_encoder")) return new ClipTextModel(vs, config);
  return new UNet2DConditionModel(vs, config);
};

describe("architectures", () => {
  it.each(Object.keys(architectures))("%s has diffusers' keys, shapes and options", (name) => {
    const { parameters, shapes, config } = architectures[name]!;
    using model = build(name, config);
    within("architectures: parameter counts", name, Math.abs(model.parameterCount() - parameters), 0);
    // transformers 5 leaves out the prefix that published files have; a new model takes the published form.
    const own = Object.fromEntries(
      Array.from(model.namedParameters(), ([key, { shape }]) => [key.replace("text_model.", ""), [...shape]]),
    );
    expect(own).toEqual(shapes);
    const different = Object.keys({ ...own, ...shapes }).filter(
      (key) => own[key]?.join() !== shapes[key]?.join(),
    );
    within("architectures: keys and shapes", name, different.length, 0);
    // What would be saved is what Python has: no option of ours alone, no other value.
    for (const [key, value] of Object.entries(model.config)) expect(config[key]).toEqual(value);
  });
});

const guidance = GUIDANCE_SIZES.map(
  (size) => [`guidance.${size}`, guidanceUnetConfig(size, unetConfig(STABLE_DIFFUSION_1_4.unet))] as const,
);

describe("presets", () => {
  // Two things are notes for other tools: upcast_attention, and the ids of old text encoders' configurations.
  const legacy = { bos_token_id: 49406, eos_token_id: 49407, projection_dim: 512 };
  const presets: (readonly [string, object])[] = [
    ["sd14.unet", unetConfig(STABLE_DIFFUSION_1_4.unet)],
    ["sd21.unet", unetConfig({ ...STABLE_DIFFUSION_2_1.unet, upcast_attention: false })],
    ["sd14.vae", vaeConfig(STABLE_DIFFUSION_1_4.vae)],
    ["sd14.text_encoder", clipTextConfig({ ...STABLE_DIFFUSION_1_4.textEncoder, ...legacy })],
    ...guidance,
  ];

  it("covers every architecture of the golden", () => {
    expect(presets.map(([name]) => name).sort()).toEqual(Object.keys(architectures).sort());
  });

  it.each(presets)("%s has diffusers' options and number of parameters", (name, preset) => {
    const { parameters, config } = architectures[name]!;
    for (const [key, value] of Object.entries(preset)) expect([key, value]).toEqual([key, config[key]]);
    using model = build(name, preset);
    within("presets: parameter counts", name, Math.abs(model.parameterCount() - parameters), 0);
  });

  // Counts as their model cards and papers give them, in millions.
  it.each([
    ["1.5", STABLE_DIFFUSION_1_5, [859.52, 83.65, 123.06]],
    ["2.1-base", STABLE_DIFFUSION_2_1_BASE, [865.91, 83.65, 340.39]],
    ["2.1", STABLE_DIFFUSION_2_1, [865.91, 83.65, 340.39]],
  ] as const)("Stable Diffusion %s has its published size", (_, { unet, vae, textEncoder }, millions) => {
    const models = [build("unet", unet), build("vae", vae), build("text_encoder", textEncoder)];
    expect(models.map((model) => Math.round(model.parameterCount() / 1e4) / 100)).toEqual(millions);
  });

  it.each([
    ["sd1", STABLE_DIFFUSION_1_4],
    ["sd2", STABLE_DIFFUSION_2_1],
  ])("the scheduler is that of the golden pipeline tiny-%s", (kind, { scheduler }) => {
    const path = golden(`tiny-${kind}/scheduler/scheduler_config.json`);
    const file = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    const shared = Object.keys(scheduler).filter((key) => key in file);
    expect(shared.length).toBeGreaterThan(8);
    for (const key of shared) expect([key, scheduler[key]]).toEqual([key, file[key]]);
  });

  it("makes guidance for other bases: their latents, their text states", () => {
    const base = unetConfig({ ...STABLE_DIFFUSION_2_1.unet, in_channels: 9, sample_size: [32, 48] });
    expect(guidanceUnetConfig("small4", base)).toMatchObject({
      in_channels: 9,
      out_channels: 4,
      sample_size: [32, 48],
      cross_attention_dim: 1024,
      block_out_channels: [32, 64, 160, 160],
      attention_head_dim: 8,
    });
    const perLevel = unetConfig({ cross_attention_dim: [96, 96, 96, 96] });
    expect(guidanceUnetConfig("small2", perLevel).cross_attention_dim).toBe(96);
  });
});
