// A feature space that needs no further file: the latents of the model's own autoencoder, averaged to 4 x 4.
import { toModelRange } from "../../data/index.ts";
import type { FeatureNetwork } from "../../metrics/index.ts";
import { adaptiveAvgPool2d, upload } from "../../torch/index.ts";
import type { ExperimentConfig } from "../config.ts";
import { hashJson } from "../hash.ts";
import { frozen } from "../stages/map-batches.ts";
import { modelHash, openVae } from "../stages/materials.ts";

/** Errors: those of loading the model folder's autoencoder. */
export async function autoencoderFeatures(config: ExperimentConfig): Promise<FeatureNetwork> {
  const hash = await modelHash(config, ["vae"]);
  const vae = openVae(config);
  const dimensions = vae.config.latent_channels * 16;
  return {
    kind: "autoencoder",
    name: `autoencoder latents, averaged to 4 x 4 (${dimensions} numbers per image)`,
    dimensions,
    key: hashJson({
      kind: "autoencoder latents",
      version: 1,
      hash,
      device: config.device.replace(/:\d+$/, ""),
    }),
    features: (images) =>
      frozen(() => {
        const latents = vae.encode(toModelRange(upload(images, config.device))).mode();
        return adaptiveAvgPool2d(latents, [4, 4]).flatten(1).to("cpu");
      }),
    [Symbol.dispose]() {
      vae[Symbol.dispose]();
    },
  };
}
