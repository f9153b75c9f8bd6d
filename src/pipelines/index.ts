// Text-to-image sampling.
export { decodeImages, toUint8 } from "./images.ts";
export { loadPipeline, type LoadedParts, type LoadPipelineOptions } from "./load-pipeline.ts";
export type { Denoiser, ImageDecoder, TextEncoder, TextTokenizer } from "./parts.ts";
export { TextStates } from "./text-states.ts";
export {
  TextToImagePipeline,
  type GenerateOptions,
  type GeneratedBatch,
  type PipelineParts,
  type StepProgress,
} from "./text-to-image.ts";
