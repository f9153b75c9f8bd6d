// The export `lora`: adapters under the names and with the metadata that Python's load_lora_weights reads.
import { join } from "node:path";
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "../../checkpoint/index.ts";
import { CheckpointError, UserError } from "../../torch/index.ts";
import { isLora } from "../stages/guidance-model.ts";
import { loraFile, scaledNote } from "./networks.ts";
import type { Writer } from "./writer.ts";

const FILE = "pytorch_lora_weights.safetensors";
const METADATA = "lora_adapter_metadata";
const ALPHA = "unet.lora_alpha";

/** The strength goes into alpha, so that the adapters act with it wherever they are loaded. */
export const writeLora: Writer = (dir, { guidance, out, absence }, { dtype, strength }) => {
  if (!guidance)
    throw new UserError(
      `There are no adapters to export: ${absence === "" ? `${out}/base was named` : absence}.`,
    );
  const { settings } = guidance;
  if (!isLora(settings))
    throw new UserError(
      `The guidance of ${guidance.dir} is a network (form ${settings.form}, module ${settings.module}), not adapters. ` +
        `Export it with --as invdiff.`,
    );
  const share = strength ?? settings.strength;
  if (share === 0)
    throw new UserError("At strength 0 adapters do nothing; export the base with --as merged --strength 0.");
  const file = loraFile(guidance);
  const { metadata } = readSafetensorsHeader(file);
  const tensors = readSafetensors(file);
  try {
    const scaled = { ...metadata, [METADATA]: withAlpha(metadata[METADATA], share, file) };
    writeSafetensors(join(dir, FILE), tensors, scaled, { dtype });
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
  const { from = 0 } = settings;
  const base = `the adapters belong to this run's base, not to the model that it started from: export it with --run ${join(out, "base")} --as merged`;
  const everywhere = `they were trained for timesteps from ${from} upwards; loaded in Python they act at all of them`;
  return [base, ...scaledNote(share), ...(from > 0 ? [everywhere] : [])];
};

function withAlpha(text: string | undefined, factor: number, file: string): string {
  const config = text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>);
  const alpha = config?.[ALPHA];
  if (config === undefined || typeof alpha !== "number")
    throw new CheckpointError(
      `${file} has no ${ALPHA} in its metadata; expected what the guidance stage writes.`,
    );
  return JSON.stringify({ ...config, [ALPHA]: alpha * factor });
}
