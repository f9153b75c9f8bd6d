/**
 * How diffusers and transformers name weight files:
 *
 *     diffusion_pytorch_model.safetensors                       one file
 *     diffusion_pytorch_model.fp16.safetensors                  a variant
 *     diffusion_pytorch_model-00001-of-00002.safetensors        a shard; its index: diffusion_pytorch_model.safetensors.index.json
 *     diffusion_pytorch_model.fp16-00001-of-00002.safetensors   a variant's shard; its index: ....safetensors.index.fp16.json
 *
 * (diffusers utils/hub_utils.py, models/modeling_utils.py; transformers modeling_utils.py.)
 */
import { ConfigError } from "../torch/index.ts";

export type WeightFormat = "safetensors" | "bin";

export interface WeightName {
  /** "diffusion_pytorch_model", "model" or "pytorch_model". */
  readonly base: string;
  readonly format: WeightFormat;
  readonly variant: string | undefined;
  readonly kind: "whole" | "shard" | "index";
}

/** What identifies a set of files that hold one model's weights. */
export type WeightSet = Omit<WeightName, "kind">;

const BASE = "(?<base>diffusion_pytorch_model|pytorch_model|model)";
const VARIANT = "(?<variant>[A-Za-z0-9_-]+?)";
const SHARD = "-\\d{5}-of-\\d{5}";
const FORMAT = "(?<format>safetensors|bin)";

/** Current forms, and the two that older releases of diffusers wrote for the shards of variants. */
const PATTERNS: readonly (readonly [WeightName["kind"], RegExp])[] = [
  ["whole", new RegExp(`^${BASE}(?:\\.${VARIANT})?\\.${FORMAT}$`)],
  ["shard", new RegExp(`^${BASE}(?:\\.${VARIANT})?${SHARD}\\.${FORMAT}$`)],
  ["shard", new RegExp(`^${BASE}${SHARD}\\.${VARIANT}\\.${FORMAT}$`)],
  ["index", new RegExp(`^${BASE}\\.${FORMAT}\\.index(?:\\.${VARIANT})?\\.json$`)],
  ["index", new RegExp(`^${BASE}\\.${FORMAT}\\.${VARIANT}\\.index\\.json$`)],
];

/** What a file name says, or undefined when it is no weight file's. */
export function parseWeightName(name: string): WeightName | undefined {
  // Shards first: "fp16-00001-of-00002" would pass for the name of a variant.
  for (const kind of ["shard", "index", "whole"] as const) {
    for (const [of, pattern] of PATTERNS) {
      const groups = of === kind ? pattern.exec(name)?.groups : undefined;
      if (groups === undefined) continue;
      const { base = "", format, variant } = groups;
      return { base, format: format as WeightFormat, variant, kind };
    }
  }
  return undefined;
}

const withVariant = (base: string, variant: string | undefined) =>
  variant === undefined ? base : `${base}.${variant}`;

export const wholeName = ({ base, format, variant }: WeightSet): string =>
  `${withVariant(base, variant)}.${format}`;

/** Name of shard `index` (from 0) of `count`. */
export function shardName({ base, format, variant }: WeightSet, index: number, count: number): string {
  const number = (value: number) => String(value).padStart(5, "0");
  return `${withVariant(base, variant)}-${number(index + 1)}-of-${number(count)}.${format}`;
}

export const indexName = ({ base, format, variant }: WeightSet): string =>
  `${withVariant(`${base}.${format}.index`, variant)}.json`;

/** The index of a variant's shards as older releases of diffusers named it. */
export const legacyIndexName = ({ base, format, variant }: WeightSet): string =>
  `${withVariant(`${base}.${format}`, variant)}.index.json`;

/** Throws ConfigError for a variant that cannot be part of a file name. */
export function checkVariant(variant: string | undefined): void {
  if (variant === undefined) return;
  const readable = parseWeightName(`model.${variant}.bin`);
  if (readable?.kind === "whole" && readable.variant === variant) return;
  throw new ConfigError(
    `variant ${JSON.stringify(variant)} cannot be part of a file name; expected letters, digits, _ and -, as in "fp16".`,
  );
}
