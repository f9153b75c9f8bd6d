// Noise schedulers with diffusers' options and numbers.
export { alphasCumprodOf, makeBetas, rescaleZeroTerminalSnr, type BetaSchedule } from "./betas.ts";
export type { ClippingConfig, SchedulerConfig, SigmaConfig } from "./config.ts";
export { DdimScheduler, type DdimConfig } from "./ddim.ts";
export { DdpmScheduler, type DdpmConfig } from "./ddpm.ts";
export { DiscreteScheduler, type SchedulerOptions } from "./discrete-scheduler.ts";
export { DpmSolverScheduler, type DpmSolverConfig } from "./dpm-solver.ts";
export type { AlgorithmType, SolverType } from "./dpm-update.ts";
export { EulerScheduler, type EulerConfig } from "./euler.ts";
export {
  loadScheduler,
  makeScheduler,
  saveScheduler,
  SCHEDULERS,
  switchScheduler,
  type SchedulerName,
} from "./load-scheduler.ts";
export { PndmScheduler, type PndmConfig } from "./pndm.ts";
export type { ForwardProcess, PredictionType, Scheduler, StepOptions, Timesteps } from "./scheduler.ts";
export { stepNoise } from "./step-noise.ts";
export type { TimestepSpacing } from "./timesteps.ts";
export { minSnrWeights } from "./min-snr.ts";
