// Files of weights at full size that take no room: safetensors with a hole where zeros are.
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

type Shapes = Iterable<readonly [key: string, shape: readonly number[]]>;

/** A file of float32 zeros (counters named num_batches_tracked: int64), and of the values given for some keys. */
export function writeSparseWeights(
  path: string,
  shapes: Shapes,
  given: Readonly<Record<string, Float32Array>> = {},
): void {
  const isCounter = (key: string) => key.endsWith("num_batches_tracked");
  // The longer values first, so that all are aligned.
  const sorted = [...shapes].sort(([a], [b]) => Number(isCounter(b)) - Number(isCounter(a)));
  let end = 0;
  const entries = sorted.map(([key, shape]) => {
    const start = end;
    end += shape.reduce((a, b) => a * b, isCounter(key) ? 8 : 4);
    return [key, { dtype: isCounter(key) ? "I64" : "F32", shape, data_offsets: [start, end] }] as const;
  });
  const header = Object.fromEntries(entries);
  const text = JSON.stringify(header);
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
  head.writeBigUInt64LE(BigInt(head.length - 8));
  head.write(text, 8, "latin1");
  const file = openSync(path, "w");
  try {
    writeSync(file, head);
    ftruncateSync(file, head.length + end);
    for (const [key, values] of Object.entries(given))
      writeSync(
        file,
        new Uint8Array(values.buffer),
        0,
        values.byteLength,
        head.length + header[key]!.data_offsets[0],
      );
  } finally {
    closeSync(file);
  }
}
