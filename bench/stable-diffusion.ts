// Stable Diffusion 1.4 at full size, batch 1, float32, random weights: each network, and ten steps of sampling. Twin:
// tools/bench/stable_diffusion.py. Compare with `npm run bench -- stable-diffusion`; BENCH_CASES=text,unet picks some.
import { readFileSync } from "node:fs";

import { AutoencoderKL, ClipTextModel, UNet2DConditionModel } from "../src/models/index.ts";
import { TextToImagePipeline } from "../src/pipelines/index.ts";
import { makeScheduler } from "../src/schedulers/index.ts";
import { ClipTokenizer } from "../src/tokenizers/index.ts";
import { full, Generator, inferenceMode, randn, scope } from "../src/torch/index.ts";
import { calls, median, now, prepare, printResult, timeCalls } from "./measure.ts";

const golden = (name: string): string => new URL(`../test/golden/${name}`, import.meta.url).pathname;
const configs = JSON.parse(readFileSync(golden("architectures.json"), "utf8")) as Record<
  string,
  { config: Record<string, unknown> }
>;
const config = (name: string) => configs[`sd14.${name}`]!.config;
const cases = new Set((process.env["BENCH_CASES"] ?? "text,vae,unet,gradient,sampling").split(","));

prepare();
const generator = new Generator().manualSeed(0);
const values: Record<string, number> = {};
const measure = (name: string, fn: () => void, count = calls): void => {
  values[name] = median(timeCalls(fn, { warmup: 1, calls: count }));
};
const ids = full([1, 77], 400, { dtype: "int64" });
const states = randn([1, 77, 768], { generator });
const latents = (size: number) => randn([1, 4, size, size], { generator });

using text = ClipTextModel.seeded(config("text_encoder"), 0);
if (cases.has("text"))
  measure(
    "text encoder, 77 tokens",
    () => inferenceMode(() => scope(() => void text.forward(ids))),
    5 * calls,
  );

using vae = AutoencoderKL.seeded(config("vae"), 0);
if (cases.has("vae")) {
  const z = latents(64);
  measure("VAE decode, 64x64 latents", () => inferenceMode(() => scope(() => void vae.decode(z))));
}

using unet = UNet2DConditionModel.seeded(config("unet"), 0);
if (cases.has("unet")) {
  const z = latents(64);
  measure("U-Net forward, 64x64", () => inferenceMode(() => scope(() => void unet.forward(z, 500, states))));
}

if (cases.has("sampling")) {
  const pipeline = new TextToImagePipeline({
    ...{ unet, vae, textEncoder: text, tokenizer: ClipTokenizer.load(golden("tiny-tokenizer")) },
    scheduler: makeScheduler("ddim", {
      beta_schedule: "scaled_linear",
      beta_start: 0.00085,
      beta_end: 0.012,
    }),
    latentShape: [4, 64, 64],
  });
  const start = now();
  const { latents: out, images } = await pipeline.generate({ prompts: ["a photo"], seeds: [0], steps: 10 });
  values["sampling, 10 steps, guidance 7.5, 512 px"] = now() - start;
  out.dispose();
  images?.dispose();
}

if (cases.has("gradient")) {
  const z = latents(32);
  measure("U-Net forward, backward, 32x32", () => {
    scope(() => unet.forward(z, 500, states).square().mean().backward());
    unet.zeroGrad();
  });
}
printResult("ms", values);
