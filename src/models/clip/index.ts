export { CLIP_TEXT_DEFAULTS, clipTextConfig } from "./config.ts";
export type { ClipTextConfig } from "./config.ts";
export { ClipTextModel } from "./text.ts";
