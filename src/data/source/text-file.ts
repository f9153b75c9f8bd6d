/** Text files as people's editors save them. */
import { readFileSync } from "node:fs";
import { DataError } from "../../torch/errors.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A file as text: UTF-8, or what its byte-order mark says. Errors: DataError when it cannot be read or is no text. */
export function readTextFile(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new DataError(`${file} cannot be read: ${(cause as Error).message}.`, { cause });
  }
  try {
    return decodeText(bytes);
  } catch (cause) {
    throw new DataError(`${file} is not UTF-8 text. Save it as UTF-8.`, { cause });
  }
}

/** Bytes as text, without the byte-order mark. Errors: TypeError for bytes that are no text. */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le", { fatal: true }).decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be", { fatal: true }).decode(bytes);
  return utf8.decode(bytes);
}
