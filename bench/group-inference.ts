// Images per second of group inference: the quickstart's U-Net and settings (profile signal), random latents in memory.
//
//   node --import tsx bench/group-inference.ts [--images 10000] [--batch-size 256] [--shard-size 4096] [--threads N] [--dir FOLDER]
//
// Losses are written as the groups stage writes them, to a temporary folder or into --dir, which a second run resumes.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { defaultConfig } from "../src/experiment/index.ts";
import { measureLosses } from "../src/experiment/groups/index.ts";
import { inferGroups } from "../src/method/index.ts";
import { firstCaptions } from "../src/data/index.ts";
import { UNet2DConditionModel, type UNetConfig } from "../src/models/index.ts";
import { loadScheduler } from "../src/schedulers/index.ts";
import { setFlushDenormal, setNumThreads } from "../src/torch/index.ts";
import { memorySet } from "../test/memory-set.ts";

const defaults = defaultConfig().groups;
const { values: options } = parseArgs({
  options: {
    images: { type: "string", default: "10000" },
    "batch-size": { type: "string", default: String(defaults.batchSize) },
    "shard-size": { type: "string", default: String(defaults.shardSize) },
    threads: { type: "string", default: String(availableParallelism()) },
    dir: { type: "string" },
  },
});
const [images = 0, batchSize = 0, shardSize = 0, threads = 0] = [
  options.images,
  options["batch-size"],
  options["shard-size"],
  options.threads,
].map(Number);
if ([images, batchSize, shardSize, threads].some((value) => !Number.isSafeInteger(value) || value < 1)) {
  console.error("--images, --batch-size, --shard-size and --threads take whole numbers of at least 1.");
  process.exit(2);
}

setNumThreads(threads);
setFlushDenormal(true);
const folder = new URL("../assets/birds/", import.meta.url);
const config = JSON.parse(readFileSync(new URL("unet/config.json", folder), "utf8")) as UNetConfig;
const scheduler = loadScheduler(new URL("scheduler", folder).pathname, { as: "ddpm" });
using unet = UNet2DConditionModel.seeded(config, 0).eval();
using set = memorySet({ images, latentShape: [4, 8, 8], stateShape: [16, 64] });

const dir = options.dir ?? mkdtempSync(join(tmpdir(), "group-inference-"));
try {
  const { timesteps, noises, contrast, solver } = defaults;
  const losses = await measureLosses(dir, { denoiser: unet, scheduler }, set, {
    ...{ signal: "profile", seed: 0, key: "bench", timesteps, noises, contrast, batchSize, shardSize },
    onProgress: (done, total) => {
      process.stderr.write(`\r${done} of ${total} images`);
    },
  });
  const start = performance.now();
  const { found } = inferGroups(losses, firstCaptions(set), { solver });
  const solved = (performance.now() - start) / 1000;
  const { work } = losses;
  process.stderr.write("\n");
  console.log(
    `${images} images, ${losses.columns.length} columns, contrast ${contrast}, batches of ${batchSize}, ${threads} threads:`,
  );
  console.log(
    work.images === 0
      ? "all losses were in the folder"
      : `measured ${work.images} images in ${work.seconds.toFixed(1)} s: ${(work.images / work.seconds).toFixed(1)} images/s`,
  );
  console.log(`solved (${solver}) in ${solved.toFixed(2)} s; second population found: ${found}`);
} finally {
  if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
}
