// What defines a CLIP tokenizer apart from its vocabulary: normalisation, word pattern, special tokens.
// Reference: transformers models/clip/tokenization_clip.py.

export const START_TOKEN = "<|startoftext|>";
export const END_TOKEN = "<|endoftext|>";
/** Marks the last symbol of a word. */
export const END_OF_WORD = "</w>";

/** A word: special token, English clitic, run of letters, one digit, or run of anything else but space. */
export const WORD_PATTERN =
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** The words of a text, lower-cased, as the tokenizer would split it. */
export const splitWords = (text: string): string[] =>
  text.normalize("NFC").toLowerCase().match(new RegExp(WORD_PATTERN, "gu")) ?? [];
