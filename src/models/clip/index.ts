export { ClipModel } from "./clip.ts";
export { CLIP_TEXT_DEFAULTS, CLIP_VISION_DEFAULTS } from "./config.ts";
export { clipConfig, clipTextConfig, clipVisionConfig } from "./config.ts";
export type { ClipConfig, ClipTextConfig, ClipVisionConfig } from "./config.ts";
export { ClipTextModel } from "./text.ts";
export type { ClipTextForwardOptions, ClipTextOptions } from "./text.ts";
export { ClipVisionModel } from "./vision.ts";
