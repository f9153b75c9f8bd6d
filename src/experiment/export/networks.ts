// The networks of an export: the base, the guidance's own, and one that has both in it.
import { join } from "node:path";
import { readSafetensors } from "../../checkpoint/index.ts";
import { loadUnet, type UNet2DConditionModel } from "../../models/index.ts";
import { UserError } from "../../torch/index.ts";
import { atStrength, attachLora, DELTA, isLora, LORA } from "../stages/guidance-model.ts";
import type { ExportedGuidance, ExportSource } from "./source.ts";

/** Merging is done in float32; narrower dtypes are made when the weights are stored. */
const WIDE = { dtype: "float32" } as const;

export const loraFile = ({ dir }: ExportedGuidance): string => join(dir, LORA);

export const openBase = ({ base }: ExportSource): UNet2DConditionModel => loadUnet(base, WIDE);

/** The guidance's network; of adapters the base with them merged at `scale`. */
export function openNetwork(
  source: ExportSource,
  guidance: ExportedGuidance,
  scale = 1,
): UNet2DConditionModel {
  if (!isLora(guidance.settings)) return loadUnet(join(guidance.dir, DELTA), WIDE);
  const unet = openBase(source);
  const file = loraFile(guidance);
  const tensors = readSafetensors(file);
  try {
    const layers = new Set(
      [...tensors.keys()].map((key) => key.replace(/^unet\.|\.lora_[AB]\.weight$/g, "")),
    );
    const targets = (path: string): boolean => layers.has(path);
    using lora = attachLora(unet, tensors, { file, rank: guidance.settings.rank, targets });
    lora.merge(scale);
    return unet;
  } catch (error) {
    unet[Symbol.dispose]();
    throw error;
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

export interface MergedUnet {
  readonly unet: UNet2DConditionModel;
  readonly notes: readonly string[];
}

/**
 * One U-Net with the base's signature that predicts what base and guidance predict together; exactly, up to rounding,
 * unless a note says otherwise. Errors: UserError where there is no such network, with what can be done instead.
 */
export function mergedUnet(source: ExportSource, strength: number | undefined): MergedUnet {
  const { guidance } = source;
  if (guidance === undefined) return { unet: openBase(source), notes: [] };
  const settings = atStrength(guidance.settings, strength);
  const { form, module, ratio, from = 0 } = settings;
  const share = form === "blend" ? ratio : settings.strength;
  if (share === 0) return { unet: openBase(source), notes: ["at strength 0 the base alone is exported"] };
  if (from > 0)
    throw new UserError(
      `This guidance acts at timesteps from ${from} upwards only, which one network cannot do, so it cannot be merged. ` +
        `Export it with --as invdiff${isLora(settings) ? " or --as lora" : ""}, where both networks stay apart.`,
    );
  if (isLora(settings)) return { unet: openNetwork(source, guidance, share), notes: scaledNote(share) };
  if (form !== "residual" && share === 1) return { unet: openNetwork(source, guidance), notes: [] };
  const advice =
    form === "residual"
      ? "its prediction is added to the base's, so both networks are needed"
      : `at ${form === "blend" ? "share" : "strength"} ${share} both networks are needed; at 1 the module alone is the answer (--strength 1)`;
  throw new UserError(
    `Guidance of form ${form} (module ${module}) cannot be merged into one network: ${advice}. ` +
      `Export it with --as invdiff, which keeps them apart.`,
  );
}

/** What scaled adapters do, where they differ from a scaled difference of predictions. */
export const scaledNote = (share: number): string[] =>
  share === 1
    ? []
    : [
        `at strength ${share} the adapters are scaled in the weights, as Python scales them; this program's own sampling ` +
          `scales the difference of the two predictions, which is close to it but not the same`,
      ];
