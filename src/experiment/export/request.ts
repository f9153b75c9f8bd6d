// What an export can be asked for; without the engine, so that help and mistakes answer at once.
import type { DType } from "../../torch/index.ts";

/**
 * - `merged`: a diffusers folder whose U-Net has the guidance in it;
 * - `lora`: the adapters alone, for Python's `load_lora_weights`;
 * - `invdiff`: base and guidance as the reference publishes them.
 */
export const EXPORT_FORMS = ["merged", "lora", "invdiff"] as const;
export type ExportForm = (typeof EXPORT_FORMS)[number];

export interface ExportRequest {
  /** Folder of an experiment; or of one of its stages, such as guidance-oracle, or base for the base alone. */
  readonly run: string;
  /** Folder to make. */
  readonly to: string;
  readonly as: ExportForm;
  /** Floating-point weights are stored in it; default: float32 for U-Nets and adapters, the rest as the model folder has it. */
  readonly dtype?: DType | undefined;
  /** Of the guidance, for `blend` the share of the module; default: as trained. */
  readonly strength?: number | undefined;
  /** Replaces an earlier export in `to`. */
  readonly force?: boolean | undefined;
}

export interface ExportResult {
  readonly path: string;
  /** Where the exported model differs from what this program samples with, and what was left out. */
  readonly notes: readonly string[];
}
