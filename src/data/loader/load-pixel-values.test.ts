import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownGolden } from "../../../test/own-golden.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { ConfigError, DataError, scope, type Tensor } from "../../torch/index.ts";
import { loadImages, toModelRange } from "../images.ts";
import { loadPixelValues, type PixelValuesOptions } from "./load-pixel-values.ts";

const expected = ownGolden("pillow-resize");
const names = ["420.jpg", "progressive.jpg", "rgb.png", "turned.jpg", "palette.png", "grey.jpg", "444.jpg"];
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

let folder: string;
let files: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pixels-"));
  files = names.map((name) => {
    const file = join(folder, name);
    writeFileSync(file, expected.get(`file ${name}`).toArray());
    return file;
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

const collect = async (options: PixelValuesOptions, from: readonly string[] = files): Promise<Tensor[]> => {
  const batches: Tensor[] = [];
  for await (const batch of loadPixelValues(from, options)) batches.push(batch);
  return batches;
};

describe("loadPixelValues", () => {
  it.each([0, 2])("gives batches in the order of the files, normalised, with %i threads", async (workers) => {
    const seen: number[] = [];
    const options = { ...HALF, size: 24, crop: [20, 16], filter: "bicubic", batchSize: 3, workers } as const;
    const before = settledTensorCount();
    const batches = await collect({ ...options, onProgress: (done, total) => seen.push(done, total) });
    expect(batches.map(({ shape }) => shape)).toEqual([
      [3, 3, 20, 16],
      [3, 3, 20, 16],
      [1, 3, 20, 16],
    ]);
    expect(seen.filter((_, i) => i % 2 === 0)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const alone = await Promise.all(
      files.map(async (file) => (await collect({ ...options, workers: 0 }, [file]))[0]!),
    );
    expect(batches.flatMap((batch) => batch.toNumbers())).toEqual(alone.flatMap((one) => one.toNumbers()));
    for (const tensor of [...batches, ...alone]) tensor.dispose();
    expect(settledTensorCount()).toBe(before);
  });

  it("agrees with loadImages", async () => {
    using images = await loadImages(files, { size: 24 });
    const [batch] = await collect({ ...HALF, size: 24, batchSize: 99, workers: 0 });
    scope(() => expect(toModelRange(images).sub(batch!).abs().max().item()).toBeLessThan(3e-7));
    batch!.dispose();
  });

  it("reads by the caller's function, with the file's number", async () => {
    const asked: string[] = [];
    const read = async (file: string, i: number) => {
      asked.push(`${i} ${file}`);
      return readFileSync(files[i]!);
    };
    for (const workers of [0, 1]) {
      const [one, two] = await collect({ ...HALF, squash: [9, 9], batchSize: 4, workers, read }, [
        ..."abcdefg",
      ]);
      const [direct] = await collect({ ...HALF, squash: [9, 9], workers });
      expect([...one!.toNumbers(), ...two!.toNumbers()]).toEqual(direct!.toNumbers());
      for (const tensor of [one, two, direct]) tensor!.dispose();
    }
    expect(asked.sort().filter((_, i) => i % 2 === 0)).toEqual(
      [..."abcdefg"].map((name, i) => `${i} ${name}`),
    );
  });

  it.each([0, 2])("names a broken file after the batches before it, with %i threads", async (workers) => {
    const text = join(folder, "text.png");
    writeFileSync(text, "not an image");
    const before = settledTensorCount();
    const list = [...files.slice(0, 5), text, ...files];
    let batches = 0;
    const all = async () => {
      for await (using _ of loadPixelValues(list, { ...HALF, size: 8, batchSize: 2, workers })) batches++;
    };
    const failure = await all().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(DataError);
    expect(String(failure)).toContain(text);
    expect(batches).toBe(2);
    expect(settledTensorCount()).toBe(before);
  });

  it("reads no further than the next batch, and stops when the loop is left or the signal is aborted", async () => {
    let asked = 0;
    const read = async (_: string, i: number) => {
      asked++;
      return readFileSync(files[i % files.length]!);
    };
    const many = Array.from({ length: 400 }, (_, i) => String(i));
    const before = settledTensorCount();
    for await (using _ of loadPixelValues(many, { ...HALF, size: 8, batchSize: 5, read, workers: 0 })) break;
    expect(asked).toBeLessThanOrEqual(10);
    const stop = new AbortController();
    const all = async () => {
      for await (using _ of loadPixelValues(many, {
        ...HALF,
        size: 8,
        batchSize: 5,
        read,
        workers: 0,
        signal: stop.signal,
      }))
        stop.abort(new Error("enough"));
    };
    await expect(all()).rejects.toThrow("enough");
    expect(asked).toBeLessThanOrEqual(30);
    expect(settledTensorCount()).toBe(before);
  });

  it.each([
    [{ size: 8, squash: [8, 8] }, /expected one of the two/],
    [{}, /expected one of the two/],
    [{ size: 0.5 }, /size = 0.5 pixels/],
    [{ size: 8, crop: 9 }, /crop = 9 x 9 was given for pictures of 8 x 8/],
    [{ size: 8, batchSize: 0 }, /batchSize = 0/],
    [{ size: 8, mean: [0.5] }, /mean = \[0.5\]/],
    [{ size: 8, std: [1, 0, 1] }, /std = \[1, 0, 1\].*other than 0/],
  ] as [Partial<PixelValuesOptions>, RegExp][])("refuses %j", async (options, message) => {
    const refused = collect({ ...HALF, ...options });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(message);
  });
});
