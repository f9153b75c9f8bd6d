// Bytes of an open file.
import { readSync } from "node:fs";

/** `length` bytes from `position` on; fewer only when the file ends before, so that the caller can say what that means. */
export function readBytes(
  fd: number,
  { position, length }: { position: number; length: number },
): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  // One call of the system may give only a part.
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}
