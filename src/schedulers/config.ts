// Scheduler options under diffusers' names (scheduler_config.json), checked once when a scheduler is made.
import { ConfigError } from "../torch/index.ts";
import type { BetaSchedule } from "./betas.ts";
import type { PredictionType } from "./scheduler.ts";
import type { TimestepSpacing } from "./timesteps.ts";

/** Options shared by all schedulers here; the defaults are diffusers'. */
export interface SchedulerConfig {
  num_train_timesteps: number;
  beta_start: number;
  beta_end: number;
  beta_schedule: BetaSchedule;
  /** Betas given directly; wins over `beta_schedule`. */
  trained_betas: readonly number[] | null;
  prediction_type: PredictionType;
  timestep_spacing: TimestepSpacing;
  steps_offset: number;
  clip_sample: boolean;
  clip_sample_range: number;
  rescale_betas_zero_snr: boolean;
  /** Dynamic thresholding is for pixel-space models and not supported: must stay false. */
  thresholding: boolean;
}

export const DEFAULT_SCHEDULER_CONFIG: SchedulerConfig = {
  num_train_timesteps: 1000,
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: "linear",
  trained_betas: null,
  prediction_type: "epsilon",
  timestep_spacing: "leading",
  steps_offset: 0,
  clip_sample: true,
  clip_sample_range: 1,
  rescale_betas_zero_snr: false,
  thresholding: false,
};

/** Values that an option may take; options with a text default must be listed. */
const CHOICES: Record<string, readonly string[]> = {
  beta_schedule: ["linear", "scaled_linear", "squaredcos_cap_v2"],
  prediction_type: ["epsilon", "v_prediction", "sample"],
  timestep_spacing: ["leading", "trailing", "linspace"],
  variance_type: ["fixed_small", "fixed_small_log", "fixed_large"],
};

/**
 * The options of `given` that `defaults` knows, over those defaults. Unknown options are dropped, as in diffusers,
 * so that one scheduler can be made from another's file. Throws ConfigError naming the option and what it accepts.
 */
export function resolveConfig<C extends SchedulerConfig>(
  scheduler: string,
  defaults: C,
  given: Readonly<Record<string, unknown>>,
): C {
  const config = Object.fromEntries(
    Object.entries(defaults).map(([option, fallback]) => {
      const value = given[option];
      if (value === undefined) return [option, fallback];
      checkOption(scheduler, option, { value, fallback });
      return [option, value];
    }),
  ) as unknown as C;
  if (!Number.isInteger(config.num_train_timesteps) || config.num_train_timesteps < 1)
    refuse(scheduler, "num_train_timesteps", config.num_train_timesteps, "a positive integer");
  if (config.thresholding)
    refuse(scheduler, "thresholding", true, "false (dynamic thresholding is not supported)");
  if (config.trained_betas && config.trained_betas.length !== config.num_train_timesteps)
    refuse(scheduler, "trained_betas", `${config.trained_betas.length} values`, "num_train_timesteps values");
  return config;
}

function checkOption(
  scheduler: string,
  option: string,
  { value, fallback }: { value: unknown; fallback: unknown },
) {
  const choices = CHOICES[option];
  if (choices) {
    if (!choices.includes(value as string)) refuse(scheduler, option, value, `one of ${choices.join(", ")}`);
  } else if (option === "trained_betas") {
    const fits = value === null || (Array.isArray(value) && value.every((beta) => Number.isFinite(beta)));
    if (!fits) refuse(scheduler, option, value, "null or a list of numbers");
  } else if (typeof value !== typeof fallback || (typeof value === "number" && !Number.isFinite(value))) {
    refuse(scheduler, option, value, `a ${typeof fallback}`);
  }
}

function refuse(scheduler: string, option: string, value: unknown, expected: string): never {
  throw new ConfigError(
    `${scheduler}: option ${option} is ${JSON.stringify(value)}, but must be ${expected}.`,
  );
}
