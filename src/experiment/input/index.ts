// Input of a training: cached rows or pictures, read ahead where a device would wait for them.
export { type InputMemoryOptions, inputBytes } from "./input-memory.ts";
export { openInput } from "./open-input.ts";
export type { InputBatch, InputOptions, TrainingInput } from "./training-input.ts";
