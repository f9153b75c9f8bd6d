// Training sets behind the frozen encoders, from a cache of encoded pictures and texts or without one.
export type { Report } from "./cached-set.ts";
export { hashFiles, type HashFilesOptions } from "./content.ts";
export {
  type EncoderKeys,
  encoderKeys,
  type EncoderOptions,
  type Encoders,
  openEncoders,
} from "./encoders.ts";
export { type CacheContents, cacheEstimate } from "./estimate.ts";
export {
  type CachePlan,
  type CacheWork,
  type OpenedSet,
  openTrainingSet,
  type TrainingSetOptions,
} from "./open-training-set.ts";
export { describeItems, type SetCaptions, type SetItems, tabulateCaptions } from "./set-items.ts";
