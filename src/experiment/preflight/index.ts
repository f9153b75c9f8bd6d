// Before a training starts: what it will need. After its first step: whether it does what it should.
export { watchFirstStep } from "./first-step.ts";
export type { FirstStepWatch, WatchedTensors } from "./first-step.ts";
export { availableMemory, memoryEstimate, memoryRoom, memoryShortage, memoryText } from "./memory.ts";
export type { MemoryEstimate, MemoryPart, MemoryRoom, TrainingMemory } from "./memory.ts";
export { parameterCounts } from "./parameters.ts";
export type { ParameterCounts, PartCount } from "./parameters.ts";
export { checkpointBytes, countText, preflightText } from "./preflight-text.ts";
export type { PreflightFacts } from "./preflight-text.ts";
export { explainShortage, memorySavings, shortageText } from "./savings.ts";
export type { Saving } from "./savings.ts";
export { SpeedMeter } from "./speed-meter.ts";
