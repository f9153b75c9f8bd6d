// Finds the weights in a component's folder, in the order in which diffusers and transformers look for them.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError } from "../torch/index.ts";
import { isFile } from "./file-kind.ts";
import {
  checkVariant,
  indexName,
  legacyIndexName,
  parseWeightName,
  type WeightFormat,
  type WeightName,
  wholeName,
} from "./weight-names.ts";

export interface FindOptions {
  /** "fp16" for diffusion_pytorch_model.fp16.safetensors. Default: the files without a variant. */
  readonly variant?: string;
}

/** Endings of files that hold tensors, whatever their names; the last four are pickles. */
const WEIGHT_ENDING = /\.(safetensors|bin|pth|pt|ckpt)$/;

/** diffusers prefers an index to a whole file, transformers the whole file; both prefer safetensors to pickles. */
function candidates(variant: string | undefined): string[] {
  const diffusers = (format: WeightFormat) => {
    const set = { base: "diffusion_pytorch_model", format, variant };
    return [indexName(set), legacyIndexName(set), wholeName(set)];
  };
  const transformers = (base: string, format: WeightFormat) => {
    const set = { base, format, variant };
    return [wholeName(set), indexName(set), legacyIndexName(set)];
  };
  return [
    ...diffusers("safetensors"),
    ...transformers("model", "safetensors"),
    ...diffusers("bin"),
    ...transformers("pytorch_model", "bin"),
  ];
}

/**
 * The file that holds a model's weights, or the index of its shards. `place` is a component's folder, or a file itself.
 * Throws CheckpointError saying what is there instead, ConfigError for a variant that is no name.
 */
export function findWeights(place: string, { variant }: FindOptions = {}): string {
  checkVariant(variant);
  if (!existsSync(place)) throw new CheckpointError(`${place} does not exist; expected a model's folder.`);
  if (isFile(place)) return place;
  const found = candidates(variant)
    .map((name) => join(place, name))
    .find(isFile);
  if (found !== undefined) return found;
  throw new CheckpointError(whatIsThere(place, variant));
}

/** The variants of the weights in a folder, sorted; "" stands for those without one. */
export function weightVariants(folder: string): string[] {
  const found = existsSync(folder) ? readdirSync(folder).flatMap((name) => parseWeightName(name) ?? []) : [];
  return [...new Set(found.filter(isEntry).map(({ variant = "" }) => variant))].sort();
}

/**
 * The variant to take in each component's folder of a model: the one asked for, or none in folders that have only plain weights, as
 * diffusers' pipelines do. Throws CheckpointError when no folder has it.
 */
export function componentVariant(
  { unet, vae, text_encoder }: Readonly<Record<"unet" | "vae" | "text_encoder", string>>,
  variant: string | undefined,
): (folder: string) => string | undefined {
  const folders = [unet, text_encoder, vae];
  checkVariant(variant);
  if (variant === undefined) return () => undefined;
  const have = new Set(folders.filter((folder) => weightVariants(folder).includes(variant)));
  if (have.size > 0) return (folder) => (have.has(folder) ? variant : undefined);
  throw new CheckpointError(
    `None of ${folders.join(", ")} has weights of the variant "${variant}". Leave it out, or name one that is there: ` +
      `${[...new Set(folders.flatMap(weightVariants))].map((name) => (name === "" ? "(none)" : name)).join(", ")}.`,
  );
}

const isEntry = ({ kind }: WeightName) => kind !== "shard";

function whatIsThere(folder: string, variant: string | undefined): string {
  const files = readdirSync(folder).sort();
  const variants = weightVariants(folder);
  const named = variants.filter((name) => name !== "");
  const ask = named.map((name) => `--variant ${name}`).join(" or ");
  if (variant !== undefined && variants.length > 0) {
    const others = [
      ...(variants.includes("") ? ["without a variant"] : []),
      ...named.map((name) => `"${name}"`),
    ];
    return `${folder} has no weights of the variant "${variant}"; it has those ${others.join(", ")}.`;
  }
  if (variant === undefined && named.length > 0) {
    const list = named.map((name) => `"${name}"`).join(", ");
    return `${folder} has weights of the variant ${list} only; ask for it: ${ask} (in code: { variant: "${named[0]}" }).`;
  }
  const expected = "diffusion_pytorch_model.safetensors or model.safetensors";
  const head = `${folder} has no weights (${expected}${variant === undefined ? "" : `, variant "${variant}"`}).`;
  const shards = files.filter((name) => parseWeightName(name)?.kind === "shard");
  if (shards.length > 0) {
    return `${head} There are shards without their index (${shards.slice(0, 4).join(", ")}), as a save leaves them that was cut off; save the model again or fetch its .index.json.`;
  }
  const strange = files.filter((name) => WEIGHT_ENDING.test(name));
  if (strange.length > 0)
    return `${head} There is ${strange.join(", ")}; if it holds them, give the path of the file in place of the folder.`;
  return `${head} The folder holds ${files.length === 0 ? "nothing" : files.slice(0, 8).join(", ")}.`;
}
