// Noise schedulers with diffusers' options and numbers.
export { alphasCumprodOf, makeBetas, rescaleZeroTerminalSnr, type BetaSchedule } from "./betas.ts";
export type { SchedulerConfig } from "./config.ts";
export { DdimScheduler, type DdimConfig } from "./ddim.ts";
export { DdpmScheduler, type DdpmConfig } from "./ddpm.ts";
export { DiscreteScheduler } from "./discrete-scheduler.ts";
export {
  loadScheduler,
  makeScheduler,
  saveScheduler,
  SCHEDULERS,
  type SchedulerName,
} from "./load-scheduler.ts";
export type { PredictionType, Scheduler, StepOptions, Timesteps } from "./scheduler.ts";
export { stepNoise } from "./step-noise.ts";
export type { TimestepSpacing } from "./timesteps.ts";
