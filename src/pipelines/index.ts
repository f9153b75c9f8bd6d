// Text-to-image sampling.
export type { GeneratedBatch, GenerateOptions, StepProgress } from "./generate-options.ts";
export { type GraphedDenoiser, graphedDenoiser, type GraphOptions } from "./graphed-denoiser.ts";
export { classifierFreeGuidance } from "./guidance-scale.ts";
export { decodeImages, toUint8 } from "./images.ts";
export { loadPipeline, type LoadedParts, type LoadPipelineOptions } from "./load-pipeline.ts";
export type { Denoiser, DenoiserOptions, ImageDecoder, TextEncoder, TextTokenizer } from "./parts.ts";
export { saveModelFolder, type SavedParts } from "./save-pipeline.ts";
export { TextStates } from "./text-states.ts";
export { TextToImagePipeline, type PipelineParts } from "./text-to-image.ts";
