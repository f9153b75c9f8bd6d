// CLIP byte-pair tokenizer, and a trainer for small ones.
export { ClipTokenizer, type TokenBatch } from "./clip.ts";
export { trainBpe, type Merge } from "./train-bpe.ts";
export { writeTokenizer } from "./write-tokenizer.ts";
