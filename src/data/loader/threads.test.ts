// Threads as users meet them: loadImages with and without, processes that end, and the compiled library.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import sharp from "sharp";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parquetFile } from "../../../test/parquet-files.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { DataError, type Tensor } from "../../torch/index.ts";
import { parquetRef, readImage } from "../image-ref.ts";
import { loadImages, type LoadImagesOptions } from "../images.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

let folder: string;
let files: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "threads-"));
  files = await Promise.all(
    Array.from({ length: 24 }, async (_, i) => {
      const [width, height] = [300 - 5 * i, 150 + 9 * i];
      const data = Uint8Array.from({ length: 3 * width * height }, (__, k) => (k * k * (2 * i + 7919)) >> 4);
      const file = join(folder, `${i}.png`);
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png({ compressionLevel: 1 })
        .toFile(file);
      return file;
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const values = (tensor: Tensor): Uint8Array => {
  using own = tensor;
  return own.toArray() as Uint8Array;
};

/** Loads with threads and without, and compares. */
async function same(list: readonly string[], options: LoadImagesOptions): Promise<Uint8Array> {
  const without = values(await loadImages(list, { ...options, workers: 0 }));
  expect(values(await loadImages(list, { ...options, workers: 2 }))).toEqual(without);
  return without;
}

describe("loadImages with threads", () => {
  it("gives the same pictures, cropped, mirrored and read as told", async () => {
    const crops = files.flatMap((_, i) => [(i * 7) % 10, (i * 3) % 10]).map((tenths) => tenths / 10);
    const flips = files.map((_, i) => i % 2);
    const plain = await same(files, { size: 32 });
    const turned = await same(files, { size: 32, crops, flips });
    expect(turned).not.toEqual(plain);
    const read = (_: string, i: number) => Promise.resolve(readFileSync(files[i]!));
    expect(await same(files.map(String), { size: 32, crops, flips, read })).toEqual(turned);
  });

  it("reads pictures within parquet files", async () => {
    const refs = Array.from({ length: 7 }, (_, row) =>
      parquetRef(parquetFile("hub/data/train-00000-of-00002.parquet"), row),
    );
    const copies = await Promise.all(
      refs.map(async (ref, i) => {
        const copy = join(folder, `copy-${i}`);
        writeFileSync(copy, await readImage(ref));
        return copy;
      }),
    );
    expect(await same(refs, { size: 16 })).toEqual(values(await loadImages(copies, { size: 16 })));
  });

  it("reads only a few pictures ahead of those that are done", async () => {
    let [asked, done, most] = [0, 0, 0];
    const read = async (_: string, i: number) => {
      most = Math.max(most, ++asked - done);
      return readFileSync(files[i]!);
    };
    values(await loadImages(files, { size: 16, workers: 2, read, onProgress: (count) => (done = count) }));
    expect(asked).toBe(files.length);
    expect(most).toBeLessThanOrEqual(6);
  });

  it("names a broken file, keeps no tensor, and works afterwards", async () => {
    const text = join(folder, "text.png");
    writeFileSync(text, "not an image");
    const before = settledTensorCount();
    const loading = loadImages([...files, text, ...files], { size: 16, workers: 2 });
    await expect(loading).rejects.toThrow(DataError);
    await expect(loading).rejects.toThrow(/text.png cannot be read as an image/);
    expect(settledTensorCount()).toBe(before);
    await same(files, { size: 16 });
  });

  it("stops in the middle when aborted", async () => {
    const stop = new AbortController();
    let last = 0;
    const onProgress = (done: number) => {
      last = done;
      if (done === 3) stop.abort(new Error("enough"));
    };
    const loading = loadImages(files, { size: 16, workers: 2, signal: stop.signal, onProgress });
    await expect(loading).rejects.toThrow("enough");
    expect(last).toBeLessThan(files.length);
  });
});

/** Runs Node until it ends; the exit code and what it printed. */
async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

const total = async (): Promise<number> =>
  values(await loadImages(files, { size: 64 })).reduce((sum, value) => sum + value, 0);

describe("a process", () => {
  const child = (how: string) => run(["--import", "tsx", "test/load-images-child.ts", how, ...files]);

  it("ends by itself when its pictures are loaded", async () => {
    expect(await child("load")).toEqual({ code: 0, output: `${await total()}\n` });
  });

  it("can be ended while threads work", async () => {
    expect(await child("exit")).toEqual({ code: 3, output: "" });
  });
});

describe("the compiled library", () => {
  it("starts its threads from the compiled worker", async () => {
    // Inside the project, so that packages are found.
    mkdirSync(join(ROOT, "build"), { recursive: true });
    const out = mkdtempSync(join(ROOT, "build", "threads-test-"));
    try {
      const { options } = ts.parseJsonConfigFileContent(
        ts.readConfigFile(join(ROOT, "tsconfig.build.json"), ts.sys.readFile).config,
        ts.sys,
        ROOT,
      );
      const roots = ["image-workers.ts", "worker.ts"].map((name) => join(ROOT, "src/data/loader", name));
      ts.createProgram(roots, { ...options, outDir: out, noCheck: true, noEmit: false }).emit();
      const module = pathToFileURL(join(out, "data/loader/image-workers.js")).href;
      const script = `
        const { startImageWorkers } = await import(${JSON.stringify(module)});
        const workers = startImageWorkers(2);
        let sum = 0;
        await Promise.all(process.argv.slice(1).map((file) => workers.prepare({ file, fit: { size: 64 } }, (write) => {
          const result = new Uint8Array(3 * 64 * 64);
          write(result);
          sum += result.reduce((a, b) => a + b, 0);
        })));
        process.stdout.write(sum + "\\n");
        await workers.end();`;
      const ended = await run(["--input-type=module", "-e", script, ...files]);
      expect(ended).toEqual({ code: 0, output: `${await total()}\n` });
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});
