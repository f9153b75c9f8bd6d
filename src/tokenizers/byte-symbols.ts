// The printable stand-ins for the 256 bytes that GPT-2 and CLIP vocabularies are written in.
// Source: openai/gpt-2 encoder.py, bytes_to_unicode.

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Bytes that stand for themselves, in the published order: ! to ~, ¡ to ¬, ® to ÿ. */
const PRINTABLE = [...range(0x21, 0x7e), ...range(0xa1, 0xac), ...range(0xae, 0xff)];
const OTHERS = range(0, 255).filter((byte) => !PRINTABLE.includes(byte));

/** The 256 symbols in vocabulary order: printable bytes first, then the others from U+0100 on. */
export const BYTE_SYMBOLS: readonly string[] = [
  ...PRINTABLE.map((byte) => String.fromCodePoint(byte)),
  ...OTHERS.map((_, i) => String.fromCodePoint(256 + i)),
];

const SYMBOL_OF = new Map([...PRINTABLE, ...OTHERS].map((byte, i) => [byte, BYTE_SYMBOLS[i]!]));

/** A text's UTF-8 bytes as symbols. */
export const toByteSymbols = (text: string): string[] =>
  [...Buffer.from(text)].map((byte) => SYMBOL_OF.get(byte)!);
