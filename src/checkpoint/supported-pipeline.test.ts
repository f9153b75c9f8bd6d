import { describe, expect, it } from "vitest";
import { CheckpointError } from "../torch/index.ts";
import { checkPipeline, type ComponentName } from "./index.ts";

type Components = Record<string, readonly [string, string]>;

const PARTS: Components = {
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
  text_encoder: ["transformers", "CLIPTextModel"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  scheduler: ["diffusers", "PNDMScheduler"],
};
const check =
  (className: string, more: Components = {}, asked?: readonly ComponentName[]) =>
  (): void =>
    checkPipeline("model", { className, components: { ...PARTS, ...more } }, asked);

describe("pipelines that can be used", () => {
  it.each([
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipelineLegacy",
    "StableDiffusionPipelineSafe",
    "StableDiffusionAttendAndExcitePipeline",
    "SemanticStableDiffusionPipeline",
  ])("%s", (className) => expect(check(className)).not.toThrow());

  it("any scheduler, the fast tokenizer, and what only looks at finished images", () => {
    const more: Components = {
      scheduler: ["diffusers", "SomeFutureScheduler"],
      tokenizer: ["transformers", "CLIPTokenizerFast"],
      safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
      feature_extractor: ["transformers", "CLIPFeatureExtractor"],
    };
    expect(check("StableDiffusionPipeline", more)).not.toThrow();
  });
});

describe("what cannot be used is refused by name", () => {
  it.each([
    "StableDiffusionXLPipeline",
    "StableDiffusion3Pipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionUpscalePipeline",
    "StableDiffusionInstructPix2PixPipeline",
    "FluxPipeline",
    "AltDiffusionPipeline",
    "OnnxStableDiffusionPipeline",
  ])("pipeline %s", (className) => {
    expect(check(className)).toThrow(CheckpointError);
    expect(check(className)).toThrow(`pipeline ${className}: expected StableDiffusionPipeline`);
  });

  it.each([
    ["text_encoder_2", "CLIPTextModelWithProjection"],
    ["tokenizer_2", "CLIPTokenizer"],
    ["image_encoder", "CLIPVisionModelWithProjection"],
    ["controlnet", "ControlNetModel"],
    ["transformer", "FluxTransformer2DModel"],
  ])("component %s", (name, className) => {
    expect(check("StableDiffusionPipeline", { [name]: ["lib", className] })).toThrow(
      `component ${name} (lib.${className}): no such part here`,
    );
  });

  it.each([
    ["unet", "UNet2DModel", "UNet2DConditionModel"],
    ["vae", "AutoencoderTiny", "AutoencoderKL"],
    ["vae", "AsymmetricAutoencoderKL", "AutoencoderKL"],
    ["text_encoder", "RobertaSeriesModelWithTransformation", "CLIPTextModel"],
    ["tokenizer", "XLMRobertaTokenizer", "CLIPTokenizer or CLIPTokenizerFast"],
  ])("class of %s: %s", (name, className, expected) => {
    const more: Components = { [name]: ["lib", className] };
    expect(check("StableDiffusionPipeline", more)).toThrow(
      `component ${name} (lib.${className}): expected ${expected}`,
    );
    // Of the parts that nobody asked for, the class does not matter.
    expect(check("StableDiffusionPipeline", more, ["scheduler"])).not.toThrow();
  });

  it("all at once, with the file", () => {
    const more: Components = {
      text_encoder_2: ["transformers", "T5EncoderModel"],
      vae: ["diffusers", "AutoencoderTiny"],
    };
    expect(check("StableDiffusionXLPipeline", more)).toThrow(
      /model_index.json names what is not supported:\n {2}pipeline StableDiffusionXLPipeline[^]*vae[^]*text_encoder_2/,
    );
  });
});
