// How fast a training's input comes, and what it costs the program's own thread: cached latents and text states as the stage
// "latents" leaves them, with random numbers.
//
//   node --import tsx bench/input.ts [--images 10000] [--batch 64] [--captions 1000] [--device cpu] [--json FILE]
//
// "rows/s" counts images (latents and text states of each) when nothing is done with them, so that reading is all there is;
// "main thread, ms" is what a batch takes of the program's thread, and "idle" the share of the time in which the device had
// no input, both with steps of --step milliseconds in which the program only waits. The files are fresh, so they come from
// the system's memory; from a disk it depends on the disk.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { planBatch, shuffledBatches, stepGenerator } from "../src/data/index.ts";
import { type InputOptions, openInput } from "../src/experiment/input/index.ts";
import type { SourceOptions } from "../src/experiment/input/part-source.ts";
import { startRowReader } from "../src/experiment/input/row-reader.ts";
import { deviceProperties, scope, synchronize } from "../src/torch/index.ts";
import { type CachedRows, cachedRows } from "../test/cached-rows.ts";
import { median, prepare } from "./measure.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string", default: "10000" },
    batch: { type: "string", default: "64" },
    captions: { type: "string", default: "1000" },
    batches: { type: "string", default: "60" },
    step: { type: "string", default: "100" },
    device: { type: "string", default: "cpu" },
    folder: { type: "string", default: tmpdir() },
    json: { type: "string" },
  },
});
const [images, batch, captions, count, step] = (
  ["images", "batch", "captions", "batches", "step"] as const
).map((name) => Number(values[name])) as [number, number, number, number, number];
const { device } = values;

const WARMUP = 4;
const DRAW = { trainTimesteps: 1000, captionDropout: 0.1 };

interface Row {
  readonly input: string;
  readonly rowsPerSecond: number;
  readonly mainThreadMs?: number;
  readonly idleShare?: number | undefined;
}

/** Rows per second of the reading thread alone, with as many slots as an input has. */
async function readerAlone({ reading }: CachedRows): Promise<Row> {
  await using reader = startRowReader([reading.tables.moments, reading.tables.states]);
  const batches = shuffledBatches(images, batch, 0);
  const read = (slot: number): Promise<unknown> => {
    const { value: rows } = batches.next();
    const { moments, states } = reading.places({ rows, captions: rows.map((row) => row % captions) });
    return reader.read(slot, [moments, states]);
  };
  const slots = [0, 1, 2];
  const round = () => Promise.all(slots.map(read));
  await round();
  const start = performance.now();
  for (let i = 0; i < count / slots.length; i++) await round();
  const seconds = (performance.now() - start) / 1000;
  return { input: "the reading thread alone", rowsPerSecond: (count * batch) / seconds };
}

/** Milliseconds in which the random numbers of a batch are drawn. */
function drawing(set: CachedRows): number {
  const batches = shuffledBatches(images, batch, 0);
  const times = Array.from({ length: 20 }, (_, i) => {
    const plan = planBatch(set, batches.next().value, stepGenerator(0, i), DRAW);
    const start = performance.now();
    scope(() => void plan.draw(set.latentShape));
    return performance.now() - start;
  });
  return median(times);
}

/** Of a whole input: as fast as it goes, then with steps that take their time. */
async function wholeInput(
  name: string,
  set: CachedRows,
  { ahead, source }: { ahead: number; source?: SourceOptions },
): Promise<Row> {
  const options = (): InputOptions => ({
    ...{ set, batches: shuffledBatches(images, batch, 0), draw: DRAW, seed: 0 },
    ...{ first: 0, last: WARMUP + count, ahead },
  });
  const run = async (work: () => Promise<void>) => {
    await using input = openInput(options(), source);
    let [start, busy] = [0, performance.eventLoopUtilization()];
    for (let i = 0; i < WARMUP + count; i++) {
      if (i === WARMUP) [start, busy] = [performance.now(), performance.eventLoopUtilization()];
      using _given = await input.next();
      await work();
    }
    synchronize(device);
    const active = performance.eventLoopUtilization(busy).active;
    return { seconds: (performance.now() - start) / 1000, active, idle: input.totalIdleShare };
  };
  const fast = await run(() => Promise.resolve());
  const paced = await run(() => sleep(step));
  return {
    input: name,
    rowsPerSecond: (count * batch) / fast.seconds,
    mainThreadMs: paced.active / count,
    idleShare: paced.idle,
  };
}

prepare();
const folder = mkdtempSync(join(values.folder, "invdiff-input-"));
try {
  using set = await cachedRows(folder, {
    ...{ images, captions, device, rowsPerFile: 256, flip: false },
    ...{ latentShape: [4, 64, 64], stateShape: [77, 768] },
  });
  const drawMs = drawing(set);
  const rows: Row[] = [await readerAlone(set)];
  rows.push(await wholeInput("read in its turn", set, { ahead: 0 }));
  rows.push(
    await wholeInput("2 batches ahead, text states read", set, { ahead: 2, source: { residentBytes: 0 } }),
  );
  if (device !== "cpu")
    rows.push(await wholeInput("2 batches ahead, text states on the device", set, { ahead: 2 }));
  console.log(
    `${images} latents 64x64, ${captions + 1} text states 77x768, batch ${batch}, steps of ${step} ms; ` +
      `${device}: ${deviceProperties(device).name}. Drawing the random numbers of a batch: ${drawMs.toFixed(1)} ms.`,
  );
  console.table(
    rows.map(({ input, rowsPerSecond, mainThreadMs, idleShare }) => ({
      input,
      "rows/s": Math.round(rowsPerSecond),
      "main thread, ms/batch": mainThreadMs?.toFixed(1) ?? "",
      idle: idleShare === undefined ? "" : `${(100 * idleShare).toFixed(1)} %`,
    })),
  );
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      JSON.stringify({ images, captions, batch, step, device, drawMs, rows }, null, 2),
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
