/**
 * The options of a run of the reference (Hundredl/InvDiff src/train_text_to_image.py) as its `args.json` keeps them, and how
 * its one number `delta_ratio` combines base and guidance (src/model/epsilon_with_delta.py).
 */
import { CheckpointError, ConfigError } from "../torch/index.ts";

/**
 * How base and guidance network make one prediction:
 * - `residual`: base + strength * delta;
 * - `blend`: ratio * delta + (1 - ratio) * base.
 */
export type DeltaGuidance =
  | { readonly form: "residual"; readonly strength: number }
  | { readonly form: "blend"; readonly ratio: number };

/** The options that say something about the saved networks; names and meanings are the reference's. */
export interface InvdiffArgs {
  /** Folder or hub name of the pipeline whose text encoder and autoencoder belong to the networks. */
  readonly pretrained_model_name_or_path?: string;
  /** The fine-tuned U-Net that stage 3 started from. */
  readonly based_unet_path?: string | null;
  /** True: stage 3, with a guidance network. */
  readonly delta?: boolean;
  /** Read by `deltaGuidance`. The reference trains with 0.5 whatever stands here, and samples with it. */
  readonly delta_ratio?: number;
  /** "pretrain": a copy of the base, "small": one of the sizes of `delta_param`, "scratch": no attention on the way up. */
  readonly delta_type?: string;
  readonly delta_param?: number;
  readonly delta_init0?: boolean;
  /** 1: the group objective, 0: plain fine-tuning. */
  readonly eiil?: number;
  readonly lambda_value?: number;
  readonly soft_grouper?: boolean;
  readonly hard_grouper_num?: number;
  /** null: the scheduler's own. */
  readonly prediction_type?: string | null;
  readonly resolution?: number;
  readonly seed?: number | null;
}

/** What each option must be; null is allowed where the interface says so. */
const KINDS: Readonly<Record<keyof InvdiffArgs, readonly string[]>> = {
  pretrained_model_name_or_path: ["string"],
  based_unet_path: ["string", "null"],
  delta: ["boolean"],
  delta_ratio: ["number"],
  delta_type: ["string"],
  delta_param: ["number"],
  delta_init0: ["boolean"],
  eiil: ["number"],
  lambda_value: ["number"],
  soft_grouper: ["boolean"],
  hard_grouper_num: ["number"],
  prediction_type: ["string", "null"],
  resolution: ["number"],
  seed: ["number", "null"],
};

/**
 * Parts the content of an `args.json` into the options known here and all others (learning rates, paths of a machine, ...).
 * Throws CheckpointError naming `path` and the option that has a wrong kind.
 */
export function parseInvdiffArgs(
  given: Readonly<Record<string, unknown>>,
  path: string,
): { readonly args: InvdiffArgs; readonly others: Readonly<Record<string, unknown>> } {
  for (const [option, kinds] of Object.entries(KINDS)) {
    const value = given[option];
    const kind = value === null ? "null" : typeof value;
    if (value !== undefined && !kinds.includes(kind))
      throw new CheckpointError(
        `${path}: ${option} is ${JSON.stringify(value)}; expected a ${kinds.join(" or ")}.`,
      );
  }
  const part = (known: boolean) =>
    Object.fromEntries(Object.entries(given).filter(([option]) => Object.hasOwn(KINDS, option) === known));
  return { args: part(true), others: part(false) };
}

/** The reference's default for --delta_ratio. */
export const DEFAULT_DELTA_RATIO = 0.5;

/** The combination that a `delta_ratio` stands for: at most -1 a plain sum, above 1 a weighted one, between them a blend. */
export function deltaGuidance(ratio: number = DEFAULT_DELTA_RATIO): DeltaGuidance {
  if (!Number.isFinite(ratio)) throw new ConfigError(`delta_ratio is ${ratio}; expected a finite number.`);
  if (ratio <= -1) return { form: "residual", strength: 1 };
  return ratio > 1 ? { form: "residual", strength: ratio } : { form: "blend", ratio };
}

/** The `delta_ratio` that stands for a combination. Throws ConfigError for one that the reference's number cannot say. */
export function deltaRatio(guidance: DeltaGuidance): number {
  if (guidance.form === "blend") {
    if (guidance.ratio > -1 && guidance.ratio <= 1) return guidance.ratio;
    throw new ConfigError(`blend with ratio ${guidance.ratio}: delta_ratio can say -1 < ratio <= 1 only.`);
  }
  if (guidance.strength === 1) return -1;
  if (guidance.strength > 1 && Number.isFinite(guidance.strength)) return guidance.strength;
  throw new ConfigError(
    `residual with strength ${guidance.strength}: delta_ratio can say strengths from 1 on only.`,
  );
}
