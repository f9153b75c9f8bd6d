// Every network of the pipelines against diffusers and transformers: outputs and gradients. Goldens: models-{sd1,sd2}.
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { loadTextEncoder, loadUnet, loadVae } from "../../src/models/index.ts";
import { noGrad, scope, type Tensor } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { within } from "./within.ts";

describe.each(["sd1", "sd2"])("models-%s", (kind) => {
  const expected = readSafetensors(golden(`models-${kind}.safetensors`));
  const get = (key: string) => expected.get(key)!;
  const check = (what: string, actual: Tensor, key: string, tolerance: number) =>
    within(`models-${kind}: ${what}`, key, relativeError(actual, get(key)), tolerance);

  it("text encoder", () => {
    using text = loadTextEncoder(golden(`tiny-${kind}/text_encoder`));
    noGrad(() =>
      scope(() => check("text states", text.forward(get("text.input_ids")), "text.last_hidden_state", 1e-5)),
    );
  });

  it("U-Net: output, gradient of the input, of five parameters, norm of every parameter's gradient", () => {
    using unet = loadUnet(golden(`tiny-${kind}/unet`));
    scope(() => {
      const sample = get("unet.sample").requiresGrad_();
      const out = unet.forward(sample, get("unet.timestep"), get("unet.encoder_hidden_states"));
      check("U-Net output", out, "unet.output", 1e-5);
      out.backward(get("unet.output_cotangent"));
      check("U-Net gradient of the input", sample.grad!, "unet.grad.sample", 1e-4);
      const parameters = new Map(unet.namedParameters());
      const whole = [...expected.keys()].filter(
        (key) => key.startsWith("unet.grad.") && key !== "unet.grad.sample",
      );
      expect(whole).toHaveLength(5);
      for (const key of whole) {
        const { grad } = parameters.get(key.slice("unet.grad.".length))!;
        check("U-Net gradients of five whole tensors", grad!, key, 1e-4);
      }
      for (const [key, value] of parameters) {
        const norm = get(`unet.gradnorm.${key}`).item();
        // Queries and keys of a single pixel get no gradient at all: hence the absolute part.
        const error = Math.abs(value.grad!.norm().item() - norm) / (norm + 0.1);
        within(`models-${kind}: U-Net gradient norms`, key, error, 1e-4);
      }
      const norms = [...expected.keys()].filter((key) => key.startsWith("unet.gradnorm."));
      expect(norms).toHaveLength(parameters.size);
    });
  });

  it("VAE: mean, log-variance, decoded image", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`));
    noGrad(() =>
      scope(() => {
        const latents = vae.encode(get("vae.pixels"));
        check("VAE mean", latents.mean, "vae.mean", 1e-5);
        check("VAE log-variance", latents.logvar, "vae.logvar", 1e-5);
        check("VAE decoded image", vae.decode(get("vae.mean")), "vae.decoded", 1e-5);
      }),
    );
  });
});
