/** Reads and decodes every picture of a list: what is broken, how large they are, which are the same. */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { DataError } from "../../torch/errors.ts";
import { readImage } from "../image-ref.ts";
import { decodeImage } from "../images.ts";
import { inParallel } from "../in-parallel.ts";

/** A picture that can be read. */
export interface Seen {
  readonly sha256: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
}

/** A picture that cannot, and why. */
export interface Unseen {
  readonly problem: string;
}

export interface LookOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Looks at all pictures, given by reference; nothing broken stops it. Errors: the signal's reason. */
export async function lookAtPictures(
  files: readonly string[],
  { signal, onProgress }: LookOptions = {},
): Promise<(Seen | Unseen)[]> {
  const found = new Array<Seen | Unseen>(files.length);
  let done = 0;
  await inParallel(files.length, { limit: 2 * availableParallelism(), signal }, async (i) => {
    found[i] = await look(files[i]!);
    onProgress?.(++done, files.length);
  });
  return found;
}

async function look(file: string): Promise<Seen | Unseen> {
  try {
    const bytes = await readImage(file);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const { width, height } = await decodeImage(file, bytes);
    return { sha256, bytes: bytes.length, width, height };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    // Whoever lists the problem names the picture.
    return { problem: error.message.replace(`${file} `, "") };
  }
}
