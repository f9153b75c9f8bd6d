// Schedulers from and to diffusers' `scheduler_config.json`, and from one class to another.
import { join } from "node:path";
import { readJsonObject } from "../checkpoint/index.ts";
import { ConfigError, writeFileAtomic } from "../torch/index.ts";
import { DdimScheduler } from "./ddim.ts";
import { DdpmScheduler } from "./ddpm.ts";
import type { DiscreteScheduler } from "./discrete-scheduler.ts";
import { DpmSolverScheduler } from "./dpm-solver.ts";
import { EulerScheduler } from "./euler.ts";
import { PndmScheduler } from "./pndm.ts";
import { pythonJson } from "./python-json.ts";
import type { Scheduler } from "./scheduler.ts";

const FILE = "scheduler_config.json";

export const SCHEDULERS = {
  ddpm: DdpmScheduler,
  ddim: DdimScheduler,
  pndm: PndmScheduler,
  euler: EulerScheduler,
  "dpmsolver++": DpmSolverScheduler,
} as const;
export type SchedulerName = keyof typeof SCHEDULERS;

const CLASS_NAMES: Readonly<Record<string, SchedulerName>> = {
  DDPMScheduler: "ddpm",
  DDIMScheduler: "ddim",
  PNDMScheduler: "pndm",
  EulerDiscreteScheduler: "euler",
  DPMSolverMultistepScheduler: "dpmsolver++",
};

const names = () => Object.keys(SCHEDULERS).join(", ");

/** A scheduler by name; options are diffusers', those of other classes are dropped. Throws ConfigError for a name or option it does not know. */
export function makeScheduler(
  name: SchedulerName,
  options: Readonly<Record<string, unknown>> = {},
): DiscreteScheduler {
  if (!Object.hasOwn(SCHEDULERS, name))
    throw new ConfigError(`Scheduler "${name}" is not supported; supported are ${names()}.`);
  return new SCHEDULERS[name](options);
}

/**
 * Another scheduler on the same noise schedule, as diffusers' `from_config`: it takes over the options that were chosen
 * and that it knows, and has its own defaults for all others. The old one stays usable.
 */
export const switchScheduler = (scheduler: DiscreteScheduler, name: SchedulerName): DiscreteScheduler =>
  makeScheduler(name, scheduler.given);

/**
 * A file's options without a `timestep_spacing` that is the class's own default. The published files of Stable Diffusion name
 * none, but diffusers writes the default out when it saves a model again: taken for chosen, the saved model would sample
 * with Euler at PNDM's "leading" timesteps, and the published one at Euler's own.
 */
function chosenOptions(
  className: string,
  options: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const name = Object.hasOwn(CLASS_NAMES, className) ? CLASS_NAMES[className] : undefined;
  if (name === undefined) return options;
  const { timestep_spacing: spacing, ...others } = options;
  return spacing === makeScheduler(name).config.timestep_spacing ? others : options;
}

export interface LoadSchedulerOptions {
  /** Another scheduler than the file's, made from its chosen options. */
  readonly as?: SchedulerName | undefined;
  /** Options that win over the file's, such as { timestep_spacing: "trailing" }. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * The scheduler of a diffusers scheduler folder.
 * Throws CheckpointError for a missing or broken file, ConfigError for an unsupported class or option.
 */
export function loadScheduler(folder: string, { as, options }: LoadSchedulerOptions = {}): DiscreteScheduler {
  const path = join(folder, FILE);
  const config = readJsonObject(path, { infinities: true });
  const { _class_name: given = "of no class" } = config;
  if (typeof given !== "string")
    throw new ConfigError(
      `${path}: _class_name is ${JSON.stringify(given)}; expected the name of a scheduler.`,
    );
  const own = Object.hasOwn(CLASS_NAMES, given) ? CLASS_NAMES[given] : undefined;
  const name = as ?? own;
  if (name === undefined) {
    throw new ConfigError(
      `${path}: scheduler ${given} is not supported; supported are ${Object.keys(CLASS_NAMES).join(", ")}. ` +
        `Name one of them (${names()}) to sample with it on the same noise schedule.`,
    );
  }
  return makeScheduler(name, { ...(name === own ? config : chosenOptions(given, config)), ...options });
}

/** Writes `scheduler_config.json` into a folder, as diffusers does. */
export function saveScheduler(folder: string, scheduler: Scheduler): void {
  writeFileAtomic(join(folder, FILE), pythonJson(scheduler.toJSON()));
}
