// A found guidance put around its base.
import { join } from "node:path";
import {
  deltaGuidance,
  invdiffFolder,
  readSafetensors,
  readSafetensorsHeader,
} from "../../checkpoint/index.ts";
import { loadUnet, type UNet2DConditionModel } from "../../models/index.ts";
import { Lora } from "../../nn/index.ts";
import { CheckpointError, type Tensor } from "../../torch/index.ts";
import {
  atStrength,
  type GuidanceModel,
  type GuidanceSettings,
  loadGuidance,
  loraGuidance,
  networkGuidance,
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
      const delta = loadUnet(join(source.dir, "unet_delta"), placeOf(base));
      return networkGuidance(base, delta, atStrength(guidanceSettings(source), strength));
    }
  }
}

/** Where a network's weights are and in which precision. */
const placeOf = (network: UNet2DConditionModel) => {
  const [{ dtype, device }] = network.parameters() as [Tensor];
  return { dtype, device };
};

const PREFIX = "unet.";

/** Adapters of a file with PEFT's keys ("unet.<layer>.lora_A.weight", or without the prefix). */
function openLora(file: string, base: UNet2DConditionModel): Lora {
  const { metadata } = readSafetensorsHeader(file);
  const tensors = readSafetensors(file);
  try {
    const keys = [...tensors.keys()];
    const prefix = keys.some((key) => key.startsWith(PREFIX)) ? PREFIX : "";
    const isText = (key: string) => key.startsWith("text_encoder.");
    if (keys.some(isText))
      throw new CheckpointError(
        `${file} adapts the text encoder too, which is not supported; only the U-Net is.`,
      );
    const down = new Map(
      [...tensors].flatMap(([key, value]) => {
        const layer = /^(.*)\.lora_A\.weight$/.exec(key.slice(prefix.length))?.[1];
        return layer === undefined ? [] : [[layer, value] as const];
      }),
    );
    const [first] = down.values();
    if (first === undefined)
      throw new CheckpointError(
        `${file} holds no adapters under PEFT's names (found ${keys.slice(0, 3).join(", ")}); expected keys such as ` +
          `unet.mid_block.attentions.0.proj_in.lora_A.weight.`,
      );
    const rank = first.shape[0]!;
    const lora = new Lora(base, {
      rank,
      alpha: alphaOf(metadata) ?? rank,
      targets: (path) => down.has(path),
    });
    try {
      lora.loadStateDict(tensors, { prefix: prefix.slice(0, -1) });
      return lora;
    } catch (error) {
      lora[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    const message = (error as Error).message;
    if (message.startsWith(file)) throw error;
    throw new CheckpointError(`${file}: ${message}`, { cause: error });
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
