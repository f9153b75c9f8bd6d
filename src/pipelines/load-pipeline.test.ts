import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import { cat, ConfigError, scope, tensorCount, zeros } from "../torch/index.ts";
import { loadPipeline } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "pipeline-")), "model");
  cpSync(golden("tiny-sd2"), folder, { recursive: true });
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true }));

/** Changes the U-Net's config.json. */
function edit(changes: Record<string, unknown>): void {
  const path = join(folder, "unet", "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...config, ...changes }));
}

describe("loadPipeline", () => {
  it("refuses an inpainting model, and leaves nothing allocated", () => {
    const path = join(folder, "unet", "diffusion_pytorch_model.safetensors");
    const tensors = readSafetensors(path);
    scope(() => {
      const weight = tensors.get("conv_in.weight")!;
      const wider = cat([weight, zeros([weight.shape[0]!, 5, 3, 3])], 1);
      writeSafetensors(path, new Map([...tensors, ["conv_in.weight", wider]]));
    });
    for (const tensor of tensors.values()) tensor.dispose();
    edit({ in_channels: 9 });
    const count = settledTensorCount();
    expect(() => loadPipeline(folder)).toThrow(ConfigError);
    expect(() => loadPipeline(folder)).toThrow(/takes 9 channels and predicts 4, .* have 4\. Inpainting/);
    expect(tensorCount()).toBe(count);
  });

  it("asks for the size where the model names none", async () => {
    edit({ sample_size: null });
    expect(() => loadPipeline(folder)).toThrow(/has no sample_size/);
    const pipeline = loadPipeline(folder, { latentShape: [4, 4, 6], dtype: "bfloat16" });
    const { latents, images } = await pipeline.generate({ prompts: ["a"], seeds: [0], steps: 1 });
    expect([latents.shape, latents.dtype, images!.shape]).toEqual([[1, 4, 4, 6], "bfloat16", [1, 3, 8, 12]]);
    const { unet, vae, textEncoder } = pipeline.parts;
    for (const part of [unet, vae, textEncoder]) part[Symbol.dispose]();
    for (const tensor of [latents, images!]) tensor.dispose();
  });

  it("takes a variant where it is, plain weights where it is not, and says when it is nowhere", () => {
    const [unet] = ["unet"].map((name) => join(folder, name));
    const plain = join(unet!, "diffusion_pytorch_model.safetensors");
    renameSync(plain, join(unet!, "diffusion_pytorch_model.fp16.safetensors"));
    expect(() => loadPipeline(folder)).toThrow(/variant "fp16" only; ask for it: --variant fp16/);
    expect(() => loadPipeline(folder, { variant: "bf16" })).toThrow(
      /None of .* has weights of the variant "bf16".*fp16, \(none\)|\(none\), fp16/,
    );
    const { parts } = loadPipeline(folder, { variant: "fp16" });
    expect(parts.unet.parameterCount()).toBeGreaterThan(1e5);
    for (const part of [parts.unet, parts.vae, parts.textEncoder]) part[Symbol.dispose]();
  });
});
