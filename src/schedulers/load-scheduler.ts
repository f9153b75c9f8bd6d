// Schedulers from and to diffusers' `scheduler_config.json`.
import { join } from "node:path";
import { readJsonObject } from "../checkpoint/index.ts";
import { ConfigError, writeFileAtomic } from "../torch/index.ts";
import { DdimScheduler } from "./ddim.ts";
import { DdpmScheduler } from "./ddpm.ts";
import type { DiscreteScheduler } from "./discrete-scheduler.ts";
import type { Scheduler } from "./scheduler.ts";

const FILE = "scheduler_config.json";

export const SCHEDULERS = { ddim: DdimScheduler, ddpm: DdpmScheduler } as const;
export type SchedulerName = keyof typeof SCHEDULERS;

const NAMES: Record<string, SchedulerName> = { DDIMScheduler: "ddim", DDPMScheduler: "ddpm" };

/** A scheduler by name; options are diffusers', unknown ones are dropped. */
export const makeScheduler = (
  name: SchedulerName,
  config: Readonly<Record<string, unknown>> = {},
): DiscreteScheduler => new SCHEDULERS[name](config);

/**
 * The scheduler of a diffusers scheduler folder; `as` makes another one on the same noise schedule.
 * Throws CheckpointError for a missing or broken file, ConfigError for an unsupported class or option.
 */
export function loadScheduler(folder: string, options: { as?: SchedulerName } = {}): DiscreteScheduler {
  const path = join(folder, FILE);
  const config = readJsonObject(path);
  const given = String(config._class_name);
  const name = options.as ?? NAMES[given];
  if (name === undefined) {
    throw new ConfigError(
      `${path}: scheduler ${given} is not supported; supported are ${Object.keys(NAMES).join(", ")}. ` +
        `Name one of them ("ddim" or "ddpm") to sample with it on the same noise schedule.`,
    );
  }
  return makeScheduler(name, config);
}

/** Writes `scheduler_config.json` into a folder, as diffusers does. */
export function saveScheduler(folder: string, scheduler: Scheduler): void {
  writeFileAtomic(join(folder, FILE), JSON.stringify(scheduler.toJSON(), null, 2) + "\n");
}
