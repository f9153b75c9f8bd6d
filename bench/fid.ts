// Seconds and memory of the Frechet distance's statistics: features that come in batches, as after Inception.
//
//   node --import tsx bench/fid.ts [--images 5000] [--dimensions 2048] [--batch-size 100] [--threads N] [--all]
//
// --all: also every metric with its interval, from the features of all images in memory.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

import {
  frechetDistance,
  frechetEstimate,
  kernelEstimate,
  type FeatureMoments,
  MomentsAccumulator,
  precisionRecallEstimate,
} from "../src/metrics/index.ts";
import { cat, Generator, keep, randn, scope, setNumThreads, type Tensor } from "../src/torch/index.ts";

const { values: options } = parseArgs({
  options: {
    images: { type: "string", default: "5000" },
    dimensions: { type: "string", default: "2048" },
    "batch-size": { type: "string", default: "100" },
    threads: { type: "string", default: String(availableParallelism()) },
    all: { type: "boolean", default: false },
  },
});
const [images = 0, dimensions = 0, batchSize = 0, threads = 0] = [
  options.images,
  options.dimensions,
  options["batch-size"],
  options.threads,
].map(Number);
if ([images, dimensions, batchSize, threads].some((value) => !Number.isSafeInteger(value) || value < 1)) {
  console.error("--images, --dimensions, --batch-size and --threads take whole numbers of at least 1.");
  process.exit(2);
}
setNumThreads(threads);

/** Features as pool3 has them: not negative, of very different spread, correlated by a shared factor. */
function* batches(seed: number, shift: number): Iterable<Tensor> {
  const generator = new Generator().manualSeed(seed);
  const scales = keep(randn([dimensions], { generator: new Generator().manualSeed(9) }).exp());
  for (let done = 0; done < images; done += batchSize) {
    const size = Math.min(batchSize, images - done);
    yield scope(() => {
      const shared = randn([size, 1], { generator });
      return randn([size, dimensions], { generator }).add(shared).add(shift).relu().mul(scales);
    });
  }
  scales.dispose();
}

/** Runs `fn` and prints its seconds. */
function timed<T>(name: string, fn: () => T): T {
  const start = performance.now();
  const result = fn();
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(2)} s`);
  return result;
}

const peak = () => `peak memory ${(process.resourceUsage().maxRSS / 1024 ** 2).toFixed(2)} GB`;

let statistics = 0;
function momentsOf(seed: number, shift: number): FeatureMoments {
  using accumulator = new MomentsAccumulator(dimensions);
  for (const batch of batches(seed, shift)) {
    const start = performance.now();
    accumulator.add(batch);
    statistics += performance.now() - start;
    batch.dispose();
  }
  return accumulator.finish();
}

console.log(`2 x ${images} images, ${dimensions} dimensions, batches of ${batchSize}, ${threads} threads`);
const memoryBefore = process.memoryUsage.rss() / 1024 ** 2;
using real = momentsOf(1, 0.3);
using fake = momentsOf(2, 0.35);
console.log(`mean and covariance of both: ${(statistics / 1000).toFixed(2)} s`);
const start = performance.now();
const fid = frechetDistance(real, fake);
const distance = performance.now() - start;
console.log(`distance: ${(distance / 1000).toFixed(2)} s`);
console.log(
  `statistics together: ${((statistics + distance) / 1000).toFixed(2)} s; Frechet distance ${fid.toFixed(4)}`,
);
console.log(`${peak()}, before ${(memoryBefore / 1024).toFixed(2)} GB`);

if (options.all) {
  const [x, y] = [1, 2].map((seed) => cat([...batches(seed, 0.3 + 0.05 * (seed - 1))])) as [Tensor, Tensor];
  timed("Frechet distance with interval", () => frechetEstimate(x, y));
  timed("kernel distance with interval", () => kernelEstimate(x, y));
  timed("precision, recall, density, coverage with intervals", () => precisionRecallEstimate(x, y));
  console.log(peak());
}
