// InvDiff itself: per-sample loss, group inference, group objective, guided denoiser, the training steps.
export { balancedSampling } from "./group-balance.ts";
export * from "./guided-denoiser.ts";
export * from "./infer-groups.ts";
export * from "./latent-set.ts";
export { fitMixture, type Mixture } from "./mixture.ts";
export { type GroupObjective, groupObjective } from "./objective.ts";
export * from "./per-sample-loss.ts";
export * from "./profile-score.ts";
export * from "./signals.ts";
export { spreadGroups, type SpreadOptions } from "./spread.ts";
export * from "./train-step.ts";
