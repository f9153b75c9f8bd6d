// The FLOP table against torch.utils.flop_counter on diffusers' networks of the same configurations:
//   with torch.device("meta"):
//       unet = UNet2DConditionModel.from_config(config)
//       with FlopCounterMode() as count: unet(torch.randn(1, 4, 64, 64), torch.tensor([1]), torch.randn(1, 77, 768))
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decoderFlops, encoderFlops, unetFlops } from "../../bench/gpu/flops.ts";
import { guidanceUnetConfig, STABLE_DIFFUSION_1_4, unetConfig } from "../../src/models/index.ts";
import { golden } from "../golden-dir.ts";

const read = (name: string) => JSON.parse(readFileSync(golden(name), "utf8"));
const published = read("architectures.json");

describe("FLOPs of one image through the U-Net", () => {
  it.each([
    ["sd14.unet", 803_273_441_280],
    ["sd21.unet", 804_257_464_320],
    ["guidance.small1", 687_328_378_880],
    ["guidance.small2", 233_116_631_040],
    ["guidance.small3", 64_552_239_104],
  ])("%s: 64 x 64 latents, 77 tokens", (name, flops) => {
    expect(unetFlops(published[name].config, { size: [64, 64], tokens: 77 })).toBe(flops);
  });

  // 12 becomes 6, 3 and 2, and on the way up 3 again.
  it.each([
    ["tiny-sd1", 8, 21_101_056],
    ["tiny-sd1", 12, 51_648_512],
    ["tiny-sd2", 8, 11_313_664],
    ["tiny-sd2", 12, 27_608_064],
  ])("%s, %d x %d latents, 11 tokens", (name, size, flops) => {
    expect(unetFlops(read(`${name}/unet/config.json`), { size: [size, size], tokens: 11 })).toBe(flops);
  });

  it("are those of the presets that the benchmark takes", () => {
    const unet = unetConfig(STABLE_DIFFUSION_1_4.unet);
    const input = { size: [64, 64], tokens: 77 } as const;
    expect(unetFlops(unet, input) / 1e9).toBeCloseTo(803.3, 1);
    expect(unetFlops(guidanceUnetConfig("small2", unet), input) / 1e9).toBeCloseTo(233.1, 1);
  });
});

describe("FLOPs of one image through the autoencoder", () => {
  it("of Stable Diffusion, 512 x 512 pixels", () => {
    const { config } = published["sd14.vae"];
    expect(decoderFlops(config, [64, 64])).toBe(2_514_518_933_504);
    expect(encoderFlops(config, [512, 512])).toBe(1_116_658_466_816);
  });

  it.each([
    ["tiny-sd1", 8, 58_154_496, 19_359_744],
    ["tiny-sd2", 2, 4_194_816, 2_171_904],
  ])("%s, 8 x 6 latents", (name, scale, decoder, encoder) => {
    const config = read(`${name}/vae/config.json`);
    expect(decoderFlops(config, [8, 6])).toBe(decoder);
    expect(encoderFlops(config, [8 * scale, 6 * scale])).toBe(encoder);
  });
});
