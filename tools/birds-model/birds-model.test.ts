/** The shipped model: it loads, gives birds back, and tells the two captions apart. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { modelFolder, readModelIndex, readJsonObject } from "../../src/checkpoint/index.ts";
import { loadTextEncoder, loadVae, unetConfig, type AutoencoderKL } from "../../src/models/index.ts";
import { loadScheduler } from "../../src/schedulers/index.ts";
import { ClipTokenizer } from "../../src/tokenizers/index.ts";
import { noGrad, scope, tensor, type Tensor } from "../../src/torch/index.ts";
import { balancedBirds } from "./birds.ts";
import { CORPUS, fill, SUBJECTS, subjectOf, TEMPLATES } from "./captions.ts";
import { meanLatents, psnr } from "./reconstruction.ts";

const assets = fileURLToPath(new URL("../../assets/birds", import.meta.url));
const folders = modelFolder(assets);
/** A little below the value in assets/birds/README.md: fewer pictures are looked at here. */
const PSNR = 25.5;

describe("captions", () => {
  it("name exactly one subject each", () => {
    expect(fill(TEMPLATES[0], "waterbird")).toBe("a photo of a waterbird");
    for (const template of TEMPLATES)
      SUBJECTS.forEach((subject, i) => expect(subjectOf(fill(template, subject))).toBe(i));
    expect(() => subjectOf("a photo of a bird")).toThrow("exactly one subject");
  });

  it("never name a place", () => {
    for (const caption of CORPUS)
      expect(caption.replace("waterbird", "").replace("landbird", "")).not.toMatch(
        /water|land|lake|sea|grass|forest/,
      );
  });
});

describe("assets/birds", () => {
  let vae: AutoencoderKL;
  let images: Tensor;
  beforeAll(async () => {
    vae = loadVae(folders.vae, { dtype: "float32" });
    const birds = await balancedBirds({ train: 1, validation: 32 });
    birds.train.images.dispose();
    images = birds.validation.images;
  });

  it("is a diffusers folder with a zero-terminal-SNR v-prediction scheduler and a U-Net for its latents", () => {
    expect(readModelIndex(assets).className).toBe("StableDiffusionPipeline");
    const unet = unetConfig(readJsonObject(join(folders.unet, "config.json")));
    const text = readJsonObject(join(folders.text_encoder, "config.json"));
    expect([unet.sample_size, unet.in_channels]).toEqual([8, vae.config.latent_channels]);
    expect(unet.cross_attention_dim).toBe(text["hidden_size"]);
    expect(loadScheduler(folders.scheduler).config).toMatchObject({
      prediction_type: "v_prediction",
      rescale_betas_zero_snr: true,
      timestep_spacing: "trailing",
      clip_sample: false,
    });
  });

  it(`gives birds back with at least ${PSNR} dB`, () => {
    expect(psnr(vae, images)).toBeGreaterThan(PSNR);
  });

  it("has scaled latents of about unit variance", () => {
    const std = scope(() => meanLatents(vae, images).flatten().std().item()) * vae.config.scaling_factor;
    expect(std).toBeGreaterThan(0.93);
    expect(std).toBeLessThan(1.07);
  });

  it("tells the captions of the two subjects apart, whatever the template", () => {
    const tokenizer = ClipTokenizer.load(folders.tokenizer);
    const text = loadTextEncoder(folders.text_encoder, { dtype: "float32" });
    expect(tokenizer.modelMaxLength).toBe(text.config.max_position_embeddings);
    expect(tokenizer.vocabSize).toBe(text.config.vocab_size);
    const pooled = (texts: string[]): number[][] =>
      noGrad(() =>
        scope(() => {
          const { inputIds, shape } = tokenizer.encode(texts);
          const states = text.forward(tensor(inputIds, { shape }));
          return texts.map((_, i) =>
            states
              .select(0, i)
              .select(0, inputIds.indexOf(BigInt(tokenizer.special.end), i * shape[1]) - i * shape[1])
              .toNumbers(),
          );
        }),
      );
    const [land, water] = SUBJECTS.map((subject) => pooled(TEMPLATES.map((t) => fill(t, subject)))) as [
      number[][],
      number[][],
    ];
    expect(cosine(land[0]!, water[0]!)).toBeLessThan(0.5);
    land.forEach((state, i) => {
      expect(cosine(state, land[0]!)).toBeGreaterThan(cosine(state, water[0]!));
      expect(cosine(water[i]!, water[0]!)).toBeGreaterThan(cosine(water[i]!, land[0]!));
    });
    expect(pooled([""])[0]!.every(Number.isFinite)).toBe(true);
  });
});

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
