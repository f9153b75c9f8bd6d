// A whole pipeline as a diffusers folder, which Python's StableDiffusionPipeline.from_pretrained loads.
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeModelIndex } from "../checkpoint/index.ts";
import {
  type AutoencoderKL,
  type ClipTextModel,
  type SaveOptions,
  saveTextEncoder,
  saveUnet,
  saveVae,
  type UNet2DConditionModel,
} from "../models/index.ts";
import { saveScheduler, type Scheduler } from "../schedulers/index.ts";
import { CheckpointError, writeFileAtomic } from "../torch/index.ts";

export interface SavedParts {
  readonly unet: UNet2DConditionModel;
  readonly vae: AutoencoderKL;
  readonly textEncoder: ClipTextModel;
  /** Folder of the tokenizer, whose files are copied. */
  readonly tokenizer: string;
  readonly scheduler: Scheduler;
}

/** The files that CLIP tokenizers have; each folder has some of them. */
const TOKENIZER_FILES = [
  "vocab.json",
  "merges.txt",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
] as const;

/**
 * Writes all parts and, last, model_index.json. Files of an earlier save in the same folder are replaced, other files stay.
 * Throws CheckpointError when the tokenizer's folder holds none, ConfigError for a wrong option.
 */
export function saveModelFolder(dir: string, parts: SavedParts, options: SaveOptions = {}): void {
  const { unet, vae, textEncoder, tokenizer, scheduler } = parts;
  const files = tokenizerFiles(tokenizer);
  saveUnet(join(dir, "unet"), unet, options);
  saveVae(join(dir, "vae"), vae, options);
  saveTextEncoder(join(dir, "text_encoder"), textEncoder, options);
  copyTokenizer(tokenizer, join(dir, "tokenizer"), files);
  saveScheduler(join(dir, "scheduler"), scheduler);
  writeModelIndex(dir, { schedulerClass: scheduler.className });
}

function tokenizerFiles(folder: string): readonly string[] {
  const files = TOKENIZER_FILES.filter((name) => existsSync(join(folder, name)));
  if (files.includes("tokenizer.json") || (files.includes("vocab.json") && files.includes("merges.txt")))
    return files;
  throw new CheckpointError(
    `${folder} is no tokenizer's folder: it has neither vocab.json with merges.txt nor tokenizer.json.`,
  );
}

function copyTokenizer(from: string, to: string, files: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  if (realpathSync(from) === realpathSync(to)) return;
  for (const name of files) writeFileAtomic(join(to, name), readFileSync(join(from, name)));
  // A file of another tokenizer beside these would change what is read.
  for (const name of TOKENIZER_FILES) if (!files.includes(name)) rmSync(join(to, name), { force: true });
}
