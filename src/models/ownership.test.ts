// What the networks keep allocated, and that copies are independent.
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { golden } from "../../test/golden-dir.ts";
import { relativeError } from "../../test/tensors.ts";
import { readSafetensors } from "../checkpoint/index.ts";
import { noGrad, scope, tensorCount } from "../torch/index.ts";
import { loadClip, loadTextEncoder, loadUnet, loadVae } from "./index.ts";

describe.each(["sd1", "sd2"])("tiny-%s", (kind) => {
  const given = readSafetensors(golden(`models-${kind}.safetensors`));
  const get = (key: string) => given.get(key)!;

  it("the U-Net keeps no tensor after a step, and the clone is independent", () => {
    const count = settledTensorCount();
    const unet = loadUnet(golden(`tiny-${kind}/unet`));
    const loaded = tensorCount();
    const forward = (model: typeof unet) =>
      model.forward(get("unet.sample"), get("unet.timestep"), get("unet.encoder_hidden_states"));
    const before = scope(() => forward(unet).toNumbers());
    scope(() => forward(unet).sum(null).backward());
    unet.zeroGrad();
    expect(tensorCount()).toBe(loaded);
    using copy = unet.clone();
    unet[Symbol.dispose]();
    scope(() => expect(forward(copy).toNumbers()).toEqual(before));
    copy[Symbol.dispose]();
    expect(tensorCount()).toBe(count);
  });

  it("encoders and decoders keep nothing either", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`));
    using text = loadTextEncoder(golden(`tiny-${kind}/text_encoder`));
    const count = settledTensorCount();
    noGrad(() => {
      const options = { slicing: true, tiling: { latentSize: 4 } };
      const { mean, logvar } = vae.encode(get("vae.pixels"), options);
      const results = [mean, logvar, vae.decode(mean, options), text.forward(get("text.input_ids"))];
      expect(tensorCount()).toBe(count + 4);
      for (const result of [...results, text.pooled(get("text.input_ids"))]) result.dispose();
    });
    expect(tensorCount()).toBe(count);
  });

  it("latents are drawn around the mean", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`));
    noGrad(() =>
      scope(() => {
        const latents = vae.encode(get("vae.pixels"));
        expect(latents.mode()).toBe(latents.mean);
        const sampled = latents.mean.add(latents.logvar.mul(0.5).exp());
        expect(relativeError(latents.sample(latents.mean.onesLike()), sampled)).toBeLessThan(1e-6);
      }),
    );
  });
});

it("CLIP keeps its embeddings alone, and the clone is independent", () => {
  const given = readSafetensors(golden("clip.safetensors"));
  const count = settledTensorCount();
  const clip = loadClip(golden("tiny-clip"));
  const loaded = tensorCount();
  noGrad(() => {
    const before = clip.imageEmbeds(given.get("pixel_values")!);
    expect(tensorCount()).toBe(loaded + 1);
    using copy = clip.clone();
    clip[Symbol.dispose]();
    scope(() => {
      expect(copy.imageEmbeds(given.get("pixel_values")!).toNumbers()).toEqual(before.toNumbers());
    });
    before.dispose();
  });
  expect(tensorCount()).toBe(count);
});
