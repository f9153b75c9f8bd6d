import { describe, expect, it } from "vitest";
import { picturesOf } from "../../../test/evaluation-parts.ts";
import { golden } from "../../../test/golden-dir.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { relativeError } from "../../../test/tensors.ts";
import { toModelRange } from "../../data/index.ts";
import { loadVae } from "../../models/index.ts";
import { adaptiveAvgPool2d, noGrad, scope, tensorCount } from "../../torch/index.ts";
import { parseConfig } from "../config.ts";
import { autoencoderFeatures } from "./autoencoder-features.ts";

describe("autoencoderFeatures", () => {
  const config = parseConfig({ model: { path: golden("tiny-sd1") } });

  it("are the means of the latents' 4 x 4 fields, the same every time", async () => {
    using images = picturesOf([1, 2, 3], { size: 64 });
    const before = settledTensorCount();
    {
      using network = await autoencoderFeatures(config);
      using rows = network.features(images);
      using again = network.features(images);
      using vae = loadVae(`${golden("tiny-sd1")}/vae`);
      using expected = noGrad(() =>
        scope(() => adaptiveAvgPool2d(vae.encode(toModelRange(images)).mode(), [4, 4]).flatten(1)),
      );
      expect([...rows.shape]).toEqual([3, network.dimensions]);
      expect(network.dimensions).toBe(vae.config.latent_channels * 16);
      expect(relativeError(rows, expected)).toBeLessThan(1e-6);
      expect(again.toNumbers()).toEqual(rows.toNumbers());
      expect(network.key).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(tensorCount()).toBe(before);
  });

  it("have another key with another autoencoder", async () => {
    using first = await autoencoderFeatures(config);
    using second = await autoencoderFeatures(parseConfig({ model: { path: golden("tiny-sd2") } }));
    expect(second.key).not.toBe(first.key);
  });
});
