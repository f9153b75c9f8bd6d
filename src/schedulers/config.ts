// Scheduler options under diffusers' names (scheduler_config.json), checked once when a scheduler is made.
import { ConfigError } from "../torch/index.ts";
import type { BetaSchedule } from "./betas.ts";
import type { PredictionType } from "./scheduler.ts";
import type { TimestepSpacing } from "./timesteps.ts";

/** Options that every scheduler has. */
export interface SchedulerConfig {
  num_train_timesteps: number;
  beta_start: number;
  beta_end: number;
  beta_schedule: BetaSchedule;
  /** Betas given directly; wins over `beta_schedule`. */
  trained_betas: readonly number[] | null;
  prediction_type: PredictionType;
  timestep_spacing: TimestepSpacing;
  /** Added to the timesteps of "leading" spacing. */
  steps_offset: number;
  /** Shifts the schedule so that the last timestep holds no signal. */
  rescale_betas_zero_snr?: boolean;
}

/** Options of the schedulers that clip the clean sample they predict. */
export interface ClippingConfig extends SchedulerConfig {
  clip_sample: boolean;
  clip_sample_range: number;
  rescale_betas_zero_snr: boolean;
  /** Dynamic thresholding is for pixel-space models and not supported: must stay false. */
  thresholding: boolean;
  dynamic_thresholding_ratio: number;
  sample_max_value: number;
}

/** Options of the schedulers that step from sigma to sigma. */
export interface SigmaConfig extends SchedulerConfig {
  rescale_betas_zero_snr: boolean;
  /** Noise levels spaced as in arXiv 2206.00364 instead of at the training timesteps. */
  use_karras_sigmas: boolean;
  use_exponential_sigmas: boolean;
  use_beta_sigmas: boolean;
  /** Noise level after the last step: none, or that of timestep 0. */
  final_sigmas_type: "zero" | "sigma_min";
}

/** What a scheduler class adds to the checks of its options. */
export interface SchedulerSpec<C extends SchedulerConfig> {
  /** diffusers' class name, written to `scheduler_config.json`. */
  readonly className: string;
  /** diffusers' defaults; the options of the class are the keys. */
  readonly defaults: C;
  /** Values that an option may take, where they differ from those in CHOICES. */
  readonly choices?: Readonly<Record<string, readonly unknown[]>>;
}

export const SCHEDULE_DEFAULTS = {
  num_train_timesteps: 1000,
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: "linear",
  trained_betas: null,
  prediction_type: "epsilon",
  timestep_spacing: "leading",
  steps_offset: 0,
} as const satisfies SchedulerConfig;

export const CLIPPING_DEFAULTS = {
  ...SCHEDULE_DEFAULTS,
  clip_sample: true,
  clip_sample_range: 1,
  rescale_betas_zero_snr: false,
  thresholding: false,
  dynamic_thresholding_ratio: 0.995,
  sample_max_value: 1,
} as const satisfies ClippingConfig;

export const SIGMA_DEFAULTS = {
  ...SCHEDULE_DEFAULTS,
  timestep_spacing: "linspace",
  rescale_betas_zero_snr: false,
  use_karras_sigmas: false,
  use_exponential_sigmas: false,
  use_beta_sigmas: false,
  final_sigmas_type: "zero",
} as const satisfies SigmaConfig;

/** Values that an option may take; options with a text default must be listed. A single value: diffusers knows others. */
const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  beta_schedule: ["linear", "scaled_linear", "squaredcos_cap_v2"],
  prediction_type: ["epsilon", "v_prediction", "sample"],
  timestep_spacing: ["leading", "trailing", "linspace"],
  final_sigmas_type: ["zero", "sigma_min"],
  thresholding: [false],
  use_exponential_sigmas: [false],
  use_beta_sigmas: [false],
};

/**
 * The options of `given` that the class knows, over its defaults. Unknown options are dropped, as in diffusers,
 * so that one scheduler can be made from another's file. Throws ConfigError naming the option and what it accepts.
 */
export function resolveConfig<C extends SchedulerConfig>(
  { className, defaults, choices }: SchedulerSpec<C>,
  given: Readonly<Record<string, unknown>>,
): C {
  const refuse = refusal(className);
  const config = Object.fromEntries(
    Object.entries(defaults).map(([option, fallback]) => {
      const value = given[option];
      if (value === undefined) return [option, fallback];
      const expected = mismatch(option, { value, fallback, accepted: choices?.[option] ?? CHOICES[option] });
      if (expected !== undefined) refuse(option, value, expected);
      return [option, value];
    }),
  ) as unknown as C;
  const { num_train_timesteps: count, steps_offset: offset, trained_betas: trained } = config;
  if (!Number.isInteger(count) || count < 1 || count > MOST_TIMESTEPS)
    refuse("num_train_timesteps", count, `an integer from 1 to ${MOST_TIMESTEPS}`);
  if (!Number.isInteger(offset)) refuse("steps_offset", offset, "an integer");
  if (trained && trained.length !== count)
    refuse("trained_betas", `${trained.length} values`, "num_train_timesteps values");
  return config;
}

/** Far above any model's (1000), and small enough for the lists of betas that a broken file would ask for. */
const MOST_TIMESTEPS = 100_000;

/** Throws ConfigError for a value that an option of this class cannot have. */
export const refusal =
  (className: string) =>
  (option: string, value: unknown, expected: string): never => {
    const shown = typeof value === "number" ? String(value) : JSON.stringify(value);
    throw new ConfigError(`${className}: option ${option} is ${shown}, but must be ${expected}.`);
  };

/** What the option should have been; undefined when the value fits. */
function mismatch(
  option: string,
  { value, fallback, accepted }: { value: unknown; fallback: unknown; accepted?: readonly unknown[] },
): string | undefined {
  const isNumber = typeof value === "number" && (Number.isFinite(value) || value === fallback);
  if (accepted) {
    if (accepted.includes(value)) return undefined;
    const [only] = accepted;
    return accepted.length === 1
      ? `${String(only)} (nothing else is supported)`
      : `one of ${accepted.join(", ")}`;
  }
  if (option === "trained_betas") {
    const fits = value === null || (Array.isArray(value) && value.every((beta) => Number.isFinite(beta)));
    return fits ? undefined : "null or a list of numbers";
  }
  if (fallback === null) return value === null || isNumber ? undefined : "null or a number";
  if (typeof fallback === "number") return isNumber ? undefined : "a number";
  return typeof value === typeof fallback ? undefined : `a ${typeof fallback}`;
}
