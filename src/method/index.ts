// InvDiff itself: per-sample loss, group inference, group objective, guided denoiser, the training step.
export { balancedSampling } from "./group-balance.ts";
export * from "./guided-denoiser.ts";
export * from "./infer-groups.ts";
export * from "./objective.ts";
export * from "./per-sample-loss.ts";
export * from "./profile-score.ts";
export * from "./signals.ts";
export * from "./train-step.ts";
export { NonFiniteLossError } from "../nn/index.ts";
