/** Learning rates as plain functions of the step, as diffusers' optimization.py (`get_scheduler`). */
import { ConfigError } from "../torch/index.ts";

export const LR_SCHEDULES = [
  "constant",
  "constant_with_warmup",
  "linear",
  "cosine",
  "cosine_with_restarts",
  "polynomial",
] as const;
export type LrScheduleName = (typeof LR_SCHEDULES)[number];

export interface LrScheduleOptions {
  /** The highest learning rate. */
  readonly lr: number;
  readonly warmupSteps?: number;
  /** Needed by all but the constant schedules. */
  readonly totalSteps?: number;
  /** Default 0.5 for cosine (a half wave), 1 for cosine_with_restarts. */
  readonly numCycles?: number;
  /** Of the polynomial schedule: its exponent and the rate at the end. */
  readonly power?: number;
  readonly lrEnd?: number;
}

/** Factor of the learning rate after the warm-up; `progress` is 0 at its end and 1 at totalSteps. */
type Decay = (progress: number, options: LrScheduleOptions) => number;

const DECAYS: Readonly<Record<LrScheduleName, Decay>> = {
  constant: () => 1,
  constant_with_warmup: () => 1,
  linear: (progress) => Math.max(0, 1 - progress),
  cosine: (progress, { numCycles = 0.5 }) =>
    Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress))),
  cosine_with_restarts: (progress, { numCycles = 1 }) =>
    progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((numCycles * progress) % 1)))),
  polynomial: (progress, { lr, power = 1, lrEnd = 1e-7 }) =>
    (progress > 1 ? lrEnd : (lr - lrEnd) * (1 - progress) ** power + lrEnd) / lr,
};

/** The learning rate of each step, counted from 0. @throws ConfigError for an unknown name or impossible options. */
export function lrSchedule(name: LrScheduleName, options: LrScheduleOptions): (step: number) => number {
  if (!Object.hasOwn(DECAYS, name)) {
    throw new ConfigError(`lr_scheduler: unknown schedule "${name}"; known are ${LR_SCHEDULES.join(", ")}`);
  }
  const { lr, warmupSteps = 0, totalSteps, lrEnd = 1e-7 } = options;
  const constant = name === "constant" || name === "constant_with_warmup";
  if (!constant && totalSteps === undefined) throw new ConfigError(`lr_scheduler "${name}" needs totalSteps`);
  if (name === "polynomial" && lr <= lrEnd) {
    throw new ConfigError(`lr_scheduler "polynomial": lrEnd (${lrEnd}) must be smaller than lr (${lr})`);
  }
  const warmup = name === "constant" ? 0 : warmupSteps;
  const length = Math.max(1, (totalSteps ?? 0) - warmup);
  const decay = DECAYS[name];
  return (step) =>
    lr * (step < warmup ? step / Math.max(1, warmup) : decay((step - warmup) / length, options));
}
