/**
 * Which pipelines of diffusers are text-to-image pipelines of the kind that this project samples with. `safety_checker` and
 * `feature_extractor` are left aside on purpose: they filter finished images and change nothing before.
 */
import { join } from "node:path";
import { CheckpointError } from "../torch/index.ts";
import { COMPONENTS, type ComponentName, MODEL_INDEX, type ModelIndex } from "./model-index.ts";

/** The classes that a component may have here; any scheduler may be named, its own file is judged when it is loaded. */
const CLASSES: Readonly<Record<Exclude<ComponentName, "scheduler">, readonly string[]>> = {
  unet: ["UNet2DConditionModel"],
  vae: ["AutoencoderKL"],
  text_encoder: ["CLIPTextModel", "CLIPTextModelWithProjection"],
  tokenizer: ["CLIPTokenizer", "CLIPTokenizerFast"],
};

const IGNORED = ["safety_checker", "feature_extractor"];

/** Look-alikes share the parts and differ in the sampling loop (image to image, attend and excite, panorama, ...). */
const LOOK_ALIKE = /^(Semantic)?StableDiffusion\w*Pipeline\w*$/;

/** Other models under a similar name: more text encoders, other inputs of the U-Net. */
const OTHER_MODEL =
  /^StableDiffusion(XL|3|Inpaint(?!PipelineLegacy)|InstructPix2Pix|Depth2Img|Upscale|LatentUpscale|ImageVariation|ControlNet|Adapter|GLIGEN|UnCLIP|LDM3D)/;

/**
 * Checks pipeline and classes; the classes only of the components asked for.
 * Throws one CheckpointError naming everything that is not supported.
 */
export function checkPipeline(
  folder: string,
  { className, components }: ModelIndex,
  asked: readonly ComponentName[] = COMPONENTS,
): void {
  const problems: string[] = [];
  if (!LOOK_ALIKE.test(className) || OTHER_MODEL.test(className))
    problems.push(`pipeline ${className}: expected StableDiffusionPipeline or one that has the same parts`);
  for (const [name, [library, found]] of Object.entries(components)) {
    if (IGNORED.includes(name)) continue;
    if (!isComponent(name)) problems.push(`component ${name} (${library}.${found}): no such part here`);
    else if (name !== "scheduler" && asked.includes(name) && !CLASSES[name].includes(found))
      problems.push(`component ${name} (${library}.${found}): expected ${CLASSES[name].join(" or ")}`);
  }
  if (problems.length > 0) {
    throw new CheckpointError(
      `${join(folder, MODEL_INDEX)} names what is not supported:\n  ${problems.join("\n  ")}\nModels of the kinds Stable Diffusion 1.x and 2.x can be used.`,
    );
  }
}

const isComponent = (name: string): name is ComponentName => (COMPONENTS as readonly string[]).includes(name);
