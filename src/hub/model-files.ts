/**
 * Which files of a model repository loading needs: of a diffusers folder the five parts of a text-to-image pipeline, of any other
 * model the files at its top; each with one set of weights.
 */
import { ConfigError } from "../torch/errors.ts";
import type { CachedFile } from "./cache.ts";
import { DownloadError } from "./errors.ts";

/** Folders of a pipeline that loading reads; safety_checker and feature_extractor filter finished images only. */
const PARTS = ["unet", "vae", "text_encoder", "tokenizer", "scheduler"];

/** model.safetensors, model.fp16-00001-of-00002.safetensors, model.safetensors.index.fp16.json, ... */
const WEIGHTS =
  /^(?:diffusion_pytorch_model|pytorch_model|model)(?:\.(?<variant>[\w-]+?))?(?:-\d{5}-of-\d{5}(?:\.(?<old>[\w-]+))?)?\.(?<format>safetensors|bin)(?<index>\.index(?:\.(?<late>[\w-]+))?\.json|\.(?<early>[\w-]+)\.index\.json)?$/;

/** Settings and vocabularies; weights of other programs (.msgpack, .h5, .onnx, .ckpt) have other endings. */
const SMALL = /\.(json|txt|model)$/;

/** Folders with weights of pipelines that are not of the Stable Diffusion 1.x / 2.x kind. */
const FOREIGN = /^(text_encoder_\d|transformer|prior|controlnet|image_encoder)\//;

interface WeightFile {
  readonly variant: string;
  readonly format: string;
}

function weightOf(name: string): WeightFile | undefined {
  const groups = WEIGHTS.exec(name)?.groups;
  if (groups === undefined) return undefined;
  const { variant, old, late, early, format = "" } = groups;
  return { variant: variant ?? old ?? late ?? early ?? "", format };
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/") + 1);
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Whether a listing has parts that only other kinds of pipelines have; this program cannot sample with those. */
export const isForeignPipeline = (files: readonly CachedFile[]): boolean =>
  files.some(({ path }) => path === "model_index.json") && files.some(({ path }) => FOREIGN.test(path));

/**
 * The files to take. `variant` ("fp16") takes those weights wherever a folder has them.
 * Throws DownloadError when there are no weights, or only variants that were not asked for.
 */
export function modelFiles<F extends CachedFile>(
  files: readonly F[],
  { variant }: { variant?: string | undefined } = {},
): F[] {
  if (variant !== undefined && !/^[\w-]+$/.test(variant))
    throw new ConfigError(
      `variant ${JSON.stringify(variant)} cannot be part of a file name; expected such as "fp16".`,
    );
  const isPipeline = files.some(({ path }) => path === "model_index.json");
  const folders = isPipeline ? PARTS.map((part) => `${part}/`) : [""];
  const taken = folders.flatMap((folder) => {
    const inside = files.filter(({ path }) => folderOf(path) === folder);
    const small = inside.filter(({ path }) => weightOf(nameOf(path)) === undefined && SMALL.test(path));
    return [...small, ...weightsIn(inside, folder, variant)];
  });
  const top = isPipeline ? files.filter(({ path }) => path === "model_index.json") : [];
  if (!taken.some(({ path }) => weightOf(nameOf(path)) !== undefined))
    throw new DownloadError(noWeights(files));
  if (variant !== undefined && !taken.some(({ path }) => weightOf(nameOf(path))?.variant === variant))
    throw new DownloadError(`No weights of the variant "${variant}" are there. ${variantsText(files)}`);
  return [...top, ...taken];
}

/** One set of weights of a folder: the variant if it has it, safetensors before pickles. */
function weightsIn<F extends CachedFile>(
  inside: readonly F[],
  folder: string,
  variant: string | undefined,
): F[] {
  const weights = inside.flatMap((file) => {
    const weight = weightOf(nameOf(file.path));
    return weight === undefined ? [] : [{ file, ...weight }];
  });
  for (const wanted of variant === undefined ? [""] : [variant, ""])
    for (const format of ["safetensors", "bin"]) {
      const set = weights.filter((weight) => weight.variant === wanted && weight.format === format);
      if (set.length > 0) return oneBase(set.map(({ file }) => file));
    }
  if (weights.length === 0) return [];
  const name = folder === "" ? "The model" : folder;
  throw new DownloadError(`${name} has weights of variants only. ${variantsText(inside)}`);
}

/** A whole file and shards of the same weights side by side: the whole file is enough. */
function oneBase<F extends CachedFile>(set: readonly F[]): F[] {
  const whole = set.filter(({ path }) => !/-\d{5}-of-\d{5}|\.index\./.test(path));
  return whole.length > 0 ? whole : [...set];
}

function variantsText(files: readonly CachedFile[]): string {
  const variants = [...new Set(files.map(({ path }) => weightOf(nameOf(path))?.variant ?? ""))].filter(
    (name) => name !== "",
  );
  return variants.length === 0
    ? "Leave --variant out."
    : `Ask for one: ${variants
        .sort()
        .map((name) => `--variant ${name}`)
        .join(" or ")}.`;
}

function noWeights(files: readonly CachedFile[]): string {
  const names = files
    .slice(0, 8)
    .map(({ path }) => path)
    .join(", ");
  return (
    `There are no weights in diffusers' or transformers' layout (model_index.json beside unet/ and vae/, or model.safetensors at the top); ` +
    `the repository holds ${files.length === 0 ? "nothing" : names}${files.length > 8 ? ", ..." : ""}. Choose files by --include PATTERN.`
  );
}
