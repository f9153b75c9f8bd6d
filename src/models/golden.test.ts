// Every network against Python's diffusers and transformers: outputs and gradients on the tiny pipelines.
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { golden } from "../../test/golden-dir.ts";
import { relativeError } from "../../test/tensors.ts";
import { readSafetensors } from "../checkpoint/index.ts";
import { noGrad, scope, tensorCount } from "../torch/index.ts";
import { loadTextEncoder, loadUnet, loadVae } from "./index.ts";

describe.each(["sd1", "sd2"])("tiny-%s", (kind) => {
  const expected = readSafetensors(golden(`models-${kind}.safetensors`));
  const get = (key: string) => expected.get(key)!;

  it("text encoder", () => {
    using text = loadTextEncoder(golden(`tiny-${kind}/text_encoder`));
    scope(() => {
      const states = noGrad(() => text.forward(get("text.input_ids")));
      expect(relativeError(states, get("text.last_hidden_state"))).toBeLessThan(1e-5);
    });
  });

  it("U-Net: output, gradient of the input, of five parameters, norm of every parameter's gradient", () => {
    using unet = loadUnet(golden(`tiny-${kind}/unet`));
    scope(() => {
      const sample = get("unet.sample").requiresGrad_();
      const out = unet.forward(sample, get("unet.timestep"), get("unet.encoder_hidden_states"));
      expect(relativeError(out, get("unet.output"))).toBeLessThan(1e-5);
      out.backward(get("unet.output_cotangent"));
      expect(relativeError(sample.grad!, get("unet.grad.sample"))).toBeLessThan(1e-5);
      const parameters = new Map(unet.namedParameters());
      const whole = [...expected.keys()].filter(
        (key) => key.startsWith("unet.grad.") && key !== "unet.grad.sample",
      );
      expect(whole).toHaveLength(5);
      for (const key of whole) {
        expect(relativeError(parameters.get(key.slice("unet.grad.".length))!.grad!, get(key))).toBeLessThan(
          1e-5,
        );
      }
      for (const [key, value] of parameters) {
        const norm = get(`unet.gradnorm.${key}`).item();
        // Queries and keys of a single pixel get no gradient at all: hence the absolute part.
        expect(Math.abs(value.grad!.norm().item() - norm)).toBeLessThan(1e-4 * norm + 1e-5);
      }
    });
  });

  it("VAE: mean, log-variance, decoded image", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`));
    noGrad(() =>
      scope(() => {
        const latents = vae.encode(get("vae.pixels"));
        expect(relativeError(latents.mean, get("vae.mean"))).toBeLessThan(1e-5);
        expect(relativeError(latents.logvar, get("vae.logvar"))).toBeLessThan(1e-5);
        expect(latents.mode()).toBe(latents.mean);
        const noise = latents.mean.onesLike();
        const sampled = latents.mean.add(latents.logvar.mul(0.5).exp());
        expect(relativeError(latents.sample(noise), sampled)).toBeLessThan(1e-6);
        expect(relativeError(vae.decode(get("vae.mean")), get("vae.decoded"))).toBeLessThan(1e-5);
      }),
    );
  });

  it("keeps no tensor after a step, and the clone is independent", () => {
    const count = settledTensorCount();
    const unet = loadUnet(golden(`tiny-${kind}/unet`));
    const loaded = tensorCount();
    const step = () =>
      scope(() =>
        unet.forward(get("unet.sample"), 3, get("unet.encoder_hidden_states")).sum(null).backward(),
      );
    step();
    unet.zeroGrad();
    expect(tensorCount()).toBe(loaded);
    using copy = unet.clone();
    unet[Symbol.dispose]();
    scope(() => {
      const out = copy.forward(get("unet.sample"), get("unet.timestep"), get("unet.encoder_hidden_states"));
      expect(relativeError(out, get("unet.output"))).toBeLessThan(1e-5);
    });
    copy[Symbol.dispose]();
    expect(tensorCount()).toBe(count);
  });
});
