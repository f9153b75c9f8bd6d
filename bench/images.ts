// Reading pictures as a network's input: decode, resize, crop, normalise, two threads, batches of 32. The pictures are those of
// bench/make-images.ts, in the folder BENCH_FOLDER. Twin: tools/bench/images.py. Compare with `npm run bench -- images`.
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { loadPixelValues, type PixelValuesOptions } from "../src/data/index.ts";
import { calls, median, now, prepare, printResult } from "./measure.ts";

const CASES: Record<string, PixelValuesOptions> = {
  "512 px, Stable Diffusion's training": { size: 512, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  "224 px, a classifier": { squash: [224, 224], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};
const WORKERS = 2;
const BATCH = 32;

prepare();
const folder = process.env["BENCH_FOLDER"]!;
const files = readdirSync(folder)
  .sort()
  .map((name) => join(folder, name));

const values: Record<string, number> = {};
const digests: Record<string, string> = {};
for (const [name, options] of Object.entries(CASES)) {
  const pass = async (look?: (bytes: Uint8Array) => void): Promise<number> => {
    const start = now();
    for await (using batch of loadPixelValues(files, { ...options, workers: WORKERS, batchSize: BATCH }))
      if (look) batch.withBytes(look);
    return (1000 * (now() - start)) / files.length;
  };
  // The first pass also starts the threads and fills the system's cache of files.
  const digest = createHash("sha256");
  await pass((bytes) => digest.update(bytes));
  digests[name] = digest.digest("hex");
  const times: number[] = [];
  for (let i = 0; i < calls; i++) times.push(await pass());
  values[name] = median(times);
}
printResult("us/image", values, digests);
