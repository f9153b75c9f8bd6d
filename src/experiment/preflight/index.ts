// Before a training starts: what it will need. After its first step: whether it does what it should.
export { watchFirstStep } from "./first-step.ts";
export type { FirstStepWatch, WatchedTensors } from "./first-step.ts";
export { availableMemory, memoryEstimate, memoryShortage, memoryText } from "./memory.ts";
export type { MemoryEstimate, MemoryPart, TrainingMemory } from "./memory.ts";
export { parameterCounts } from "./parameters.ts";
export type { ParameterCounts, PartCount } from "./parameters.ts";
export { checkpointBytes, countText, preflightText } from "./preflight-text.ts";
export type { PreflightFacts } from "./preflight-text.ts";
export { SpeedMeter } from "./speed-meter.ts";
