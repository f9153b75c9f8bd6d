// Numbers and texts as pickles spell them.
import type { ReadContext } from "./context.ts";
import { shownName } from "./context.ts";

/** JavaScript's own limit is twice this. */
const MAX_TEXT_BYTES = 2 ** 28;
/** The longest whole number: random generators keep a few hundred bytes at most. */
const MAX_NUMBER_BYTES = 4096;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Whole numbers are numbers where that is exact, else bigints. */
export const wholeNumber = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

/** A little-endian count of 4 or 8 bytes. Beyond 2^53 it is rounded, which no file reaches. */
export function readCount(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length === 4 ? view.getUint32(0, true) : Number(view.getBigUint64(0, true));
}

export const readInt32 = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);

/** BINFLOAT is big-endian, unlike everything else. */
export const readFloat = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, false);

/** Two's complement, little-endian, of any length; no bytes are 0. */
export function readLong(bytes: Uint8Array): number | bigint {
  let value = 0n;
  if (bytes.length > 0) value = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
  if ((bytes.at(-1) ?? 0) >= 0x80) value -= 1n << BigInt(8 * bytes.length);
  return wholeNumber(value);
}

/** The length of a LONG4 or LONG1, refused when absurd. */
export function longLength(length: number, context: ReadContext): number {
  if (length > MAX_NUMBER_BYTES) context.fail(`it holds a whole number of ${length} bytes`);
  return length;
}

/** The length of a text, refused when the text could not be held. */
export function textLength(length: number, context: ReadContext): number {
  if (length > MAX_TEXT_BYTES) context.fail(`it holds a text of ${length} bytes`);
  context.spend(32 + length);
  return length;
}

export function readUtf8(bytes: Uint8Array, context: ReadContext): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    context.fail("one of its texts is not UTF-8", cause);
  }
}

/** Texts of Python 2 have no encoding: UTF-8 where they fit it, else one character per byte. */
export function readPython2Text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return latin1(bytes);
  }
}

/** Protocol 0: characters beyond Latin-1 and a few others as \uXXXX or \UXXXXXXXX. */
export function readEscapedText(line: Uint8Array, context: ReadContext): string {
  textLength(line.length, context);
  return latin1(line).replace(
    /\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g,
    (_, short: string | undefined, long: string | undefined) => {
      const code = parseInt(short ?? long ?? "", 16);
      if (code > 0x10ffff)
        context.fail(`one of its texts holds the impossible character U+${code.toString(16)}`);
      return String.fromCodePoint(code);
    },
  );
}

/** Protocol 0: INT ("01" and "00" are True and False) and LONG ("12L"). */
export function readDecimal(line: Uint8Array, context: ReadContext): boolean | number | bigint {
  const text = latin1(line.subarray(0, MAX_NUMBER_BYTES + 1));
  if (text === "01" || text === "00") return text === "01";
  const digits = text.replace(/L$/, "");
  if (!/^[+-]?\d+$/.test(digits) || line.length > MAX_NUMBER_BYTES)
    context.fail(`${shownName(text)} stands where a whole number belongs`);
  return wholeNumber(BigInt(digits.replace(/^\+/, "")));
}

/** Protocol 0: FLOAT, as Python's repr writes it. */
export function readDecimalFloat(line: Uint8Array, context: ReadContext): number {
  const text = latin1(line.subarray(0, 64));
  const named = new Map([
    ["inf", Infinity],
    ["-inf", -Infinity],
    ["nan", NaN],
  ]).get(text);
  if (named !== undefined) return named;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) || line.length > 64)
    context.fail(`${shownName(text)} stands where a number belongs`);
  return Number(text);
}

/** A name of a module, class or memo entry. */
export function readName(line: Uint8Array, context: ReadContext): string {
  if (line.length > 1024) context.fail(`it holds a name of ${line.length} bytes`);
  return readUtf8(line, context);
}
