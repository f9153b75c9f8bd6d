// A found guidance put around its base.
import {
  deltaGuidance,
  invdiffFolder,
  readSafetensors,
  readSafetensorsHeader,
} from "../../checkpoint/index.ts";
import { loadUnet, type UNet2DConditionModel } from "../../models/index.ts";
import type { Lora } from "../../nn/index.ts";
import { CheckpointError } from "../../torch/index.ts";
import {
  atStrength,
  attachLora,
  type GuidanceModel,
  type GuidanceSettings,
  loadGuidance,
  loraGuidance,
  networkGuidance,
  placeOf,
  readGuidanceSettings,
} from "../stages/guidance-model.ts";
import type { GuidanceSource } from "./find-guidance.ts";

const AS_TRAINED: GuidanceSettings = { form: "difference", module: "lora", rank: 1, strength: 1, ratio: 0.5 };

/** How the guidance is added when nobody says otherwise. */
export function guidanceSettings(source: GuidanceSource): GuidanceSettings {
  switch (source.kind) {
    case "stage":
      return readGuidanceSettings(source.dir);
    case "lora":
      return AS_TRAINED;
    case "invdiff": {
      const { delta_ratio: ratio } = invdiffFolder(source.dir).args;
      return { ...AS_TRAINED, module: "copy", ...deltaGuidance(ratio) };
    }
  }
}

/** Its strength; for `blend` the share of the module. */
export const strengthOf = ({ form, strength, ratio }: GuidanceSettings): number =>
  form === "blend" ? ratio : strength;

/** The guidance around `base`; disposing releases the guidance, not the base. @throws CheckpointError */
export function openGuidance(
  source: GuidanceSource,
  base: UNet2DConditionModel,
  { strength }: { strength: number },
): GuidanceModel {
  switch (source.kind) {
    case "stage":
      return loadGuidance(base, source.dir, { strength });
    case "lora":
      return loraGuidance(base, openLora(source.file, base), atStrength(AS_TRAINED, strength));
    case "invdiff": {
      base.requiresGrad_(false);
      const delta = loadUnet(invdiffFolder(source.dir).delta!, placeOf(base));
      return networkGuidance(base, delta, atStrength(guidanceSettings(source), strength));
    }
  }
}

const PREFIX = "unet.";

/** Adapters of a file with PEFT's keys ("unet.<layer>.lora_A.weight", or without the prefix). */
function openLora(file: string, base: UNet2DConditionModel): Lora {
  const { metadata } = readSafetensorsHeader(file);
  const tensors = readSafetensors(file);
  try {
    const keys = [...tensors.keys()];
    const prefix = keys.some((key) => key.startsWith(PREFIX)) ? PREFIX : "";
    if (keys.some((key) => key.startsWith("text_encoder.")))
      throw new CheckpointError(
        `${file} adapts the text encoder too, which is not supported; only the U-Net is.`,
      );
    const down = new Map(
      [...tensors].flatMap(([key, value]) => {
        const layer = /^(.*)\.lora_A\.weight$/.exec(key.slice(prefix.length))?.[1];
        return layer === undefined ? [] : [[layer, value] as const];
      }),
    );
    const rank = down.values().next().value?.shape[0];
    if (rank === undefined)
      throw new CheckpointError(
        `${file} holds no adapters under PEFT's names (found ${keys.slice(0, 3).join(", ")}); expected keys such as ` +
          `unet.mid_block.attentions.0.proj_in.lora_A.weight.`,
      );
    const alpha = alphaOf(metadata) ?? rank;
    const targets = (path: string) => down.has(path);
    return attachLora(base, tensors, { file, rank, alpha, targets, prefix: prefix.slice(0, -1) });
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

/** alpha as diffusers keeps it in the metadata; undefined where it does not say. */
function alphaOf({ lora_adapter_metadata: text }: Readonly<Record<string, string>>): number | undefined {
  if (text === undefined) return undefined;
  try {
    const config = JSON.parse(text) as Record<string, unknown>;
    const alpha = config[`${PREFIX}lora_alpha`] ?? config["lora_alpha"];
    return typeof alpha === "number" ? alpha : undefined;
  } catch {
    return undefined;
  }
}
