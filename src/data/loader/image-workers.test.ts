import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, DataError, InvDiffError } from "../../torch/errors.ts";
import { type ImageWorkers, startImageWorkers } from "./image-workers.ts";
import { normalizedLevels, type PictureJob, preparePicture, resultBytes } from "./picture-job.ts";

let folder: string;
let workers: ImageWorkers;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "workers-"));
  workers = startImageWorkers(2);
  for (let i = 0; i < 12; i++) {
    const [width, height] = [40 + 3 * i, 70 - 4 * i];
    const data = Uint8Array.from({ length: 3 * width * height }, (_, k) => (k * k * (2 * i + 7919)) >> 4);
    await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toFile(join(folder, `${i}.jpg`));
  }
  writeFileSync(join(folder, "text.jpg"), "not an image");
});
afterAll(async () => {
  await workers.end();
  rmSync(folder, { recursive: true });
});

const file = (name: number | string): string => join(folder, `${name}.jpg`);

/** The result from threads. */
async function there(job: PictureJob, from = workers): Promise<Uint8Array> {
  const result = new Uint8Array(resultBytes(job));
  await from.prepare(job, (write) => write(result));
  return result;
}

/** The same from this thread. */
async function here(job: PictureJob): Promise<Uint8Array> {
  const result = new Uint8Array(resultBytes(job));
  (await preparePicture(job))(result);
  return result;
}

const levels = normalizedLevels([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]);

describe("image workers", () => {
  it("give what this thread gives, whatever was asked for before and in whatever order", async () => {
    const jobs = Array.from({ length: 36 }, (_, i): PictureJob => {
      const fit = [{ size: 30 }, { squash: [20, 31], filter: "bicubic" }, { size: 33, crop: 17 }] as const;
      const placement = { crop: { vertical: i / 36, horizontal: 1 - i / 36 }, mirrored: i % 2 === 1 };
      return { file: file(i % 12), fit: fit[i % 3]!, placement, levels: i % 4 === 0 ? levels : undefined };
    });
    const results = await Promise.all(jobs.map((job) => there(job)));
    for (const [i, job] of jobs.entries()) expect(results[i]).toEqual(await here(job));
  });

  it("take bytes that the caller has", async () => {
    const bytes = new Uint8Array(await sharp(file(3)).png().toBuffer());
    const job = { file: "bytes", fit: { size: 21 } };
    const want = await here({ ...job, bytes });
    expect(await there({ ...job, bytes: bytes.slice() })).toEqual(want);
  });

  it("name the file that is broken or missing, and go on with the others", async () => {
    const names = [0, "text", 1, "none", 2];
    const job = (name: number | string): PictureJob => ({ file: file(name), fit: { size: 8 } });
    const results = await Promise.allSettled(names.map((name) => there(job(name))));
    expect(results.map(({ status }) => status)).toEqual(
      names.map((name) => (typeof name === "number" ? "fulfilled" : "rejected")),
    );
    const errors = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason as Error] : [],
    );
    expect(errors.every((error) => error instanceof DataError)).toBe(true);
    expect(errors[0]!.message).toBe(
      await preparePicture(job("text")).then(String, (error: Error) => error.message),
    );
    expect(errors[1]!.message).toContain(`${file("none")} cannot be read`);
    expect(workers.healthy).toBe(true);
  });

  it("refuse sizes that are none, before anything is sent", async () => {
    await expect(workers.prepare({ file: file(0), fit: { size: 0 } }, () => undefined)).rejects.toThrow(
      ConfigError,
    );
  });

  it("end, and then refuse work", async () => {
    const own = startImageWorkers(1);
    expect(await there({ file: file(0), fit: { size: 8 } }, own)).toHaveLength(192);
    const dropped = Array.from({ length: 9 }, () => there({ file: file(0), fit: { size: 8 } }, own));
    const outcome = Promise.allSettled(dropped);
    await own.end();
    expect((await outcome).filter(({ status }) => status === "rejected").length).toBeGreaterThan(0);
    expect(own.healthy).toBe(false);
    await expect(there({ file: file(0), fit: { size: 8 } }, own)).rejects.toThrow(
      /thread that reads images has ended/,
    );
    await own.end();
  });

  it.each([
    ["cannot start", `throw new Error("out of memory")`, "out of memory"],
    [
      "ends by itself",
      `require("node:worker_threads").parentPort.on("message", () => process.exit(7))`,
      "exit code 7",
    ],
  ])("tell of a thread that %s", async (_, script, reason) => {
    const own = startImageWorkers(1, () => new Worker(script, { eval: true }));
    const both = [0, 1].map((name) => there({ file: file(name), fit: { size: 8 } }, own));
    for (const result of await Promise.allSettled(both)) {
      const { reason: error } = result as PromiseRejectedResult;
      expect(error).toBeInstanceOf(InvDiffError);
      expect(String(error)).toContain(reason);
    }
    expect(own.healthy).toBe(false);
    await own.end();
  });
});
