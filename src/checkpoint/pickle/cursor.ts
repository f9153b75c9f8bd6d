// Reads a byte range from front to end through a small window, so that what is skipped (tensor data) is never read.
import type { ByteRange } from "./byte-source.ts";
import { readRange } from "./byte-source.ts";
import type { ReadContext } from "./context.ts";
import { readCount } from "./literals.ts";

const WINDOW = 64 * 1024;

export interface Cursor {
  /** Position in the source of the next byte. */
  readonly position: () => number;
  /** Bytes that are left. */
  readonly left: () => number;
  readonly byte: () => number;
  readonly take: (count: number) => Uint8Array;
  /** The next `count` bytes as a range, unread. */
  readonly skip: (count: number) => ByteRange;
  /** The bytes up to the next line feed, which is consumed and not returned. */
  readonly line: () => Uint8Array;
  /** Reads a frame's length, which must fit; what it frames is read like anything else. */
  readonly frame: () => void;
}

/** Throws CheckpointError through the context when the range ends too early. */
export function cursorOf({ source, begin, end }: ByteRange, context: ReadContext): Cursor {
  let position = begin;
  let window: Uint8Array = new Uint8Array(0);
  let windowBegin = begin;

  const need = (count: number) => {
    if (!(count <= end - position))
      context.fail(`${count} bytes are needed at byte ${position}, but only ${end - position} are left`);
  };
  const load = () => {
    window = source.read(position, Math.min(end, position + WINDOW));
    windowBegin = position;
  };
  const take = (count: number): Uint8Array => {
    need(count);
    if (count > WINDOW) {
      const bytes = source.read(position, position + count);
      position += count;
      return bytes;
    }
    if (position - windowBegin + count > window.length) load();
    const from = position - windowBegin;
    position += count;
    return window.subarray(from, from + count);
  };

  return {
    position: () => position,
    left: () => end - position,
    take,
    byte() {
      if (position - windowBegin >= window.length) {
        need(1);
        load();
      }
      return window[position++ - windowBegin]!;
    },
    skip(count) {
      need(count);
      position += count;
      return { source, begin: position - count, end: position };
    },
    frame: () => need(readCount(take(8))),
    line() {
      const lineBegin = position;
      for (;;) {
        if (position - windowBegin >= window.length) {
          if (position >= end) context.fail(`a line that begins at byte ${lineBegin} does not end`);
          load();
        }
        const found = window.indexOf(0x0a, position - windowBegin);
        position = windowBegin + (found < 0 ? window.length : found + 1);
        if (found < 0) continue;
        context.spend(position - lineBegin);
        return readRange({ source, begin: lineBegin, end: position - 1 });
      }
    },
  };
}
