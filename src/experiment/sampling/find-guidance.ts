// Which kind of guidance lies at a path: a stage's folder, a run, a published InvDiff checkpoint, or LoRA weights.
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasInvdiffGuidance, invdiffFolder } from "../../checkpoint/index.ts";
import { CheckpointError } from "../../torch/errors.ts";

export type GuidanceSource =
  /** What the guidance stage wrote; `base` is the run's fine-tuned U-Net, which it belongs to. */
  | { readonly kind: "stage"; readonly dir: string; readonly base: string | undefined }
  /** The reference's checkpoint-N with unet_delta, and unet_pretrain_unet as its base. */
  | { readonly kind: "invdiff"; readonly dir: string; readonly base: string | undefined }
  /** A file of low-rank adapters under PEFT's keys. */
  | { readonly kind: "lora"; readonly file: string; readonly base: undefined };

const LORA_FILES = ["pytorch_lora_weights.safetensors", "lora.safetensors", "adapter_model.safetensors"];

/** Errors: CheckpointError saying what is there instead and what a guidance looks like. */
export function findGuidance(path: string): GuidanceSource {
  if (!existsSync(path)) throw new CheckpointError(`Guidance ${path} does not exist.`);
  if (statSync(path).isFile()) {
    if (path.endsWith(".safetensors")) return { kind: "lora", file: path, base: undefined };
    throw new CheckpointError(
      `Guidance ${path} is a file; expected a folder or LoRA weights (.safetensors).`,
    );
  }
  for (const dir of [path, join(path, "guidance")])
    if (existsSync(join(dir, "guidance.json"))) return { kind: "stage", dir, base: runBase(dir) };
  if (hasInvdiffGuidance(path)) {
    const { path: dir, base } = invdiffFolder(path);
    return { kind: "invdiff", dir, base };
  }
  const lora = LORA_FILES.map((name) => join(path, name)).find((file) => existsSync(file));
  if (lora !== undefined) return { kind: "lora", file: lora, base: undefined };
  const names = readdirSync(path).slice(0, 6).join(", ");
  const untrained =
    existsSync(join(path, "guidance", "manifest.json")) || existsSync(join(path, "losses.json"));
  throw new CheckpointError(
    untrained
      ? `${path} holds no trained guidance: no under-represented population was found there, so the base is the answer. Leave out --guidance.`
      : `${path} holds no guidance (found: ${names === "" ? "nothing" : names}); expected guidance.json, a run folder with guidance/, ` +
          `an InvDiff checkpoint with unet_delta/, or ${LORA_FILES[0]}.`,
  );
}

/** The U-Net that a run's guidance was trained around: base/unet beside the stage's folder. */
function runBase(dir: string): string | undefined {
  const base = join(dirname(dir), "base", "unet");
  return existsSync(join(base, "config.json")) ? base : undefined;
}
