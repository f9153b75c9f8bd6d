import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type LossesJob, lossesJob } from "../../../test/losses-job.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { readSafetensors } from "../../checkpoint/index.ts";
import { measureSignal } from "../../method/index.ts";
import { CheckpointError, DataError, tensorCount } from "../../torch/index.ts";
import { measureLosses, readLosses } from "./loss-shards.ts";

/** Forward passes of one image: two timesteps, each with its caption and the empty one. */
const PASSES = 4;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "losses-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const measure = (job: LossesJob, changes: Partial<LossesJob["options"]> = {}) =>
  measureLosses(dir, job.parts, job.set, { ...job.options, ...changes });
const whole = async (changes: Partial<LossesJob["options"]> = {}) => {
  const { parts, set, options } = lossesJob(changes);
  return (await measureSignal(options.signal, parts, set, options)).losses;
};
const shards = () =>
  readdirSync(dir)
    .filter((name) => name.endsWith(".safetensors"))
    .sort();
const flip = (name: string, at: number) => {
  const path = join(dir, name);
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(path, bytes);
};

describe("measureLosses", () => {
  it("keeps the very numbers of one measurement, in files with the ids of their rows", async () => {
    const job = lossesJob();
    const before = settledTensorCount();
    const measured = await measure(job);
    expect(tensorCount()).toBe(before);
    expect(measured.losses).toEqual(await whole());
    expect(measured.work).toMatchObject({ images: 22 });
    expect(shards()).toHaveLength(6);
    expect(readLosses(dir)).toEqual({
      ...{ losses: measured.losses, columns: measured.columns, ids: job.set.ids },
      ...{ signal: "profile", seed: 3 },
    });
    const [first] = [...readSafetensors(join(dir, "losses-00000.safetensors"))];
    expect(first![0]).toBe("losses");
    expect(first![1].shape).toEqual([4, 4]);
    expect(first![1].toArray()).toEqual(measured.losses.slice(0, 16));
    const index = JSON.parse(readFileSync(join(dir, "index.json"), "utf8")) as {
      shards: { ids: string[] }[];
    };
    expect(index).toMatchObject({ signal: "profile", seed: 3, columns: measured.columns });
    expect(index.shards[5]!.ids).toEqual(["20.png", "21.png"]);
  });

  it("rounds the files up to whole batches", async () => {
    await measure(lossesJob({ batchSize: 3 }));
    expect(shards()).toHaveLength(4);
    expect(readLosses(dir).losses).toEqual(await whole({ batchSize: 3 }));
  });

  it.each(["profile", "single", "reference"] as const)(
    "of %s goes on after the last whole file, wherever it was stopped",
    async (signal) => {
      const expected = await whole({ signal });
      const passes = signal === "profile" ? PASSES : 1;
      for (let batches = 1; batches <= 11; batches++) {
        rmSync(dir, { recursive: true, force: true });
        const abort = new AbortController();
        const onProgress = (done: number) => {
          if (done >= 2 * batches) abort.abort(new Error("stop"));
        };
        const stopped = measure(lossesJob({ signal }), { abort: abort.signal, onProgress });
        await expect(stopped).rejects.toThrow("stop");
        // A file of four images is two batches; whole once the batch after its last has begun.
        const kept = shards().length;
        expect(kept).toBe(Math.floor((batches - 1) / 2));
        const job = lossesJob({ signal });
        const measured = await measure(job);
        expect(measured.losses).toEqual(expected);
        expect(measured.work.images).toBe(22 - 4 * kept);
        expect(job.rowsMeasured()).toBe(passes * measured.work.images);
      }
    },
  );

  it("is not shaken by a kill at any moment", async () => {
    const script = fileURLToPath(new URL("../../../test/losses-child.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", script, dir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let told = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      told += text;
      if (told.includes("10\n")) child.kill("SIGKILL");
    });
    await once(child, "close");
    // What a killed writer leaves, which a fast machine may not have left.
    writeFileSync(join(dir, "losses-00005.safetensors.tmp-1"), "half");
    const kept = shards().length;
    expect(kept).toBeGreaterThanOrEqual(2);
    const { losses, work } = await measure(lossesJob());
    expect(losses).toEqual(await whole());
    expect(work.images).toBe(Math.max(0, 22 - 4 * kept));
    expect(readdirSync(dir).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it("measures damaged files again, and only these", async () => {
    await measure(lossesJob());
    flip("losses-00001.safetensors", -1);
    truncateSync(join(dir, "losses-00003.safetensors"), 40);
    rmSync(join(dir, "losses-00005.safetensors"));
    const { losses, work } = await measure(lossesJob());
    expect(losses).toEqual(await whole());
    expect(work.images).toBe(4 + 4 + 2);
  });

  it("takes no damaged byte for a number", async () => {
    await measure(lossesJob());
    const good = await whole();
    const path = join(dir, "losses-00002.safetensors");
    const bytes = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= bits;
        writeFileSync(path, damaged);
        // A change that JSON ignores, such as another blank, may be read; the numbers are right then.
        expect((await measure(lossesJob())).losses).toEqual(good);
      }),
      { numRuns: 60, seed: 4 },
    );
  });

  it.each([
    ["seed", { seed: 4 }],
    ["base", { key: "another base" }],
    ["contrast", { contrast: "none" }],
    ["timesteps", { timesteps: [200, 801] }],
    ["signal", { signal: "single" }],
  ] as const)("measures all again when the %s changed", async (_, changes) => {
    await measure(lossesJob());
    const { losses, work } = await measure(lossesJob(changes));
    expect(work.images).toBe(22);
    expect(losses).toEqual(await whole(changes));
    expect(readLosses(dir).losses).toEqual(losses);
  });

  it("measures again what other images took the place of", async () => {
    const job = lossesJob();
    await measure(job);
    const ids = job.set.ids.map((id, row) => (row === 9 ? "new.png" : id));
    const { work } = await measureLosses(dir, job.parts, { ...job.set, ids }, job.options);
    expect(work.images).toBe(4);
  });

  it("removes files that a larger measurement left", async () => {
    await measure(lossesJob());
    await measure(lossesJob({ shardSize: 22 }));
    expect(shards()).toEqual(["losses-00000.safetensors"]);
  });

  it("names images whose loss is not a number", async () => {
    const job = lossesJob();
    job.set.moments.select(0, 6).fill_(NaN);
    await expect(measure(job)).rejects.toThrow(DataError);
    await expect(measure(job)).rejects.toThrow(/not a finite number for "6\.png"\./);
    expect(shards()).toEqual(["losses-00000.safetensors"]);
  });

  it("tells how far it is", async () => {
    const told: number[] = [];
    await measure(lossesJob(), { onProgress: (done, total) => told.push(done / total) });
    expect(told).toEqual(Array.from({ length: 11 }, (_, i) => (2 * i + 2) / 22));
  });
});

describe("readLosses", () => {
  it.each([
    ["a missing file", () => rmSync(join(dir, "losses-00004.safetensors"))],
    ["a damaged file", () => flip("losses-00004.safetensors", -3)],
  ])("says which file is at fault: %s", async (_, damage) => {
    await measure(lossesJob());
    damage();
    expect(() => readLosses(dir)).toThrow(CheckpointError);
    expect(() => readLosses(dir)).toThrow(
      /losses-00004\.safetensors is missing, damaged.*4 rows of 4 losses/,
    );
  });

  it.each([
    ["{}", /is no index of losses \(signal/],
    ['{"signal": "profile"', /is not valid JSON/],
    [
      '{"signal":"single","seed":0,"batchSize":1,"key":"","columns":[{"timestep":"random","noise":0,"contrast":false}],"shards":[{"file":"../x","ids":["a"]}]}',
      /shards\.0\.file/,
    ],
  ])("refuses the index %s", (text, message) => {
    writeFileSync(join(dir, "index.json"), text);
    expect(() => readLosses(dir)).toThrow(CheckpointError);
    expect(() => readLosses(dir)).toThrow(message);
  });
});
