// Sets from the cache and without one: the same pictures and captions give the same numbers, and no row is encoded twice.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { settledTensorCount } from "../../../test/settled.ts";
import { writeRows } from "../../../test/tiny-experiment.ts";
import {
  type EncodedBatch,
  loadImages,
  openImageFolder,
  Random,
  toModelRange,
  type TrainingSet,
} from "../../data/index.ts";
import { loadTextEncoder, loadVae } from "../../models/index.ts";
import { ClipTokenizer } from "../../tokenizers/index.ts";
import {
  cat,
  DataError,
  enableGrad,
  InvDiffError,
  ones,
  scope,
  tensor,
  tensorCount,
} from "../../torch/index.ts";
import { defaultConfig, modelFolderOf } from "../config.ts";
import { readContent } from "./content.ts";
import {
  cacheEstimate,
  describeItems,
  type OpenedSet,
  openTrainingSet,
  type SetItems,
  type TrainingSetOptions,
} from "./index.ts";

const MODEL = modelFolderOf(defaultConfig());
const COUNT = 13;
let images: string;
let items: SetItems;
let dir: string;
let root: string;

/** Pictures of many sizes; the last one has the bytes of the first. */
beforeAll(async () => {
  images = mkdtempSync(join(tmpdir(), "set-images-"));
  const random = new Random("pictures", 3);
  const rows = [];
  for (let i = 0; i < COUNT; i++) {
    const [width, height] = [64 + random.int(60), 64 + random.int(60)];
    const data = Uint8Array.from({ length: width * height * 3 }, () => random.int(256));
    const file = join(images, `${i}.png`);
    if (i === COUNT - 1) copyFileSync(join(images, "0.png"), file);
    else
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(file);
    const texts = [`picture ${i % 3}`, "a bird"].slice(0, 1 + (i % 2));
    rows.push({ file_name: `${i}.png`, text: texts });
  }
  writeRows(images, rows);
  items = await describeItems(openImageFolder(images).items);
});
afterAll(() => rmSync(images, { recursive: true, force: true }));
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "set-cache-"));
  dir = join(root, "cache");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (options: Partial<TrainingSetOptions> = {}): Promise<OpenedSet> =>
  openTrainingSet({
    ...{ items, model: { folder: MODEL }, resolution: 64, device: "cpu", crop: "centre", flip: false },
    ...{ cache: { dir }, ...options },
  });

const ROWS = Int32Array.of(3, 12, 0, 3, 7);
const CAPTIONS = Int32Array.of(0, 1, 4, 3, 1);

async function numbers(batch: Promise<EncodedBatch>): Promise<{ moments: number[]; states: number[] }> {
  const { moments, encoderHiddenStates } = await batch;
  const values = { moments: moments.toNumbers(), states: encoderHiddenStates.toNumbers() };
  moments.dispose();
  encoderHiddenStates.dispose();
  return values;
}

/** Moments and text states without any of the code under test. */
async function expected(
  rows: Int32Array,
  captions: readonly string[],
  options: { flips?: Uint8Array; crops?: Float32Array } = {},
): Promise<{ moments: number[]; states: number[] }> {
  const files = Array.from(rows, (row) => join(images, `${row}.png`));
  using vae = loadVae(join(MODEL, "vae"), { dtype: "float32" });
  using encoder = loadTextEncoder(join(MODEL, "text_encoder"), { dtype: "float32" });
  const tokenizer = ClipTokenizer.load(join(MODEL, "tokenizer"));
  using pictures = await loadImages(files, { size: 64, ...options });
  return scope(() => {
    const { mean, logvar } = vae.encode(toModelRange(pictures));
    const { inputIds, shape } = tokenizer.encode(captions);
    const states = encoder.forward(tensor(inputIds, { shape }));
    return { moments: cat([mean, logvar], 1).toNumbers(), states: states.toNumbers() };
  });
}

const largest = (a: readonly number[], b: readonly number[]): number => {
  expect(a).toHaveLength(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

const files = (kind: string): string[] => {
  const [folder] = readdirSync(dir).filter((name) => name.startsWith(kind));
  const below = join(dir, folder!);
  return readdirSync(below)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => join(below, name));
};

describe("a set from the cache", () => {
  it("has ids, captions and shapes of the pictures and the model", async () => {
    using set = await open();
    expect(set.ids).toEqual(Array.from({ length: COUNT }, (_, i) => `${i}.png`));
    expect(set.captions).toEqual(["a bird", "picture 0", "picture 1", "picture 2", ""]);
    expect(set.captionsOf.slice(0, 4)).toEqual([[1], [2, 0], [3], [1, 0]]);
    expect([set.latentShape, set.device]).toEqual([[4, 8, 8], "cpu"]);
    const { moments, encoderHiddenStates } = await set.load({ rows: ROWS, captions: CAPTIONS });
    expect([moments.shape, moments.dtype]).toEqual([[5, 8, 8, 8], "float32"]);
    expect(encoderHiddenStates.shape.slice(0, 2)).toEqual([5, 16]);
    moments.dispose();
    encoderHiddenStates.dispose();
  });

  it("gives what the encoders give, and to the bit what a set without a cache gives", async () => {
    const flips = Uint8Array.of(0, 1, 1, 1, 0);
    const before = settledTensorCount();
    {
      using cached = await open({ flip: true });
      using online = await open({ flip: true, cache: undefined });
      for (const request of [
        { rows: ROWS, captions: CAPTIONS },
        { rows: ROWS, captions: CAPTIONS, flips },
      ]) {
        const [a, b] = [await numbers(cached.load(request)), await numbers(online.load(request))];
        expect(largest(a.moments, b.moments)).toBe(0);
        expect(largest(a.states, b.states)).toBe(0);
        const texts = Array.from(CAPTIONS, (caption) => cached.captions[caption]!);
        const own = await expected(ROWS, texts, request);
        // Latents reach about 11 here; batches of other sizes differ in their last bits.
        expect(largest(a.moments, own.moments)).toBeLessThan(5e-5);
        expect(largest(a.states, own.states)).toBeLessThan(1e-5);
      }
      // Rows 12 and 0 are one picture, mirrored alike.
      const { moments } = await numbers(cached.load({ rows: ROWS, captions: CAPTIONS, flips }));
      const each = moments.length / 5;
      expect(moments.slice(each, 2 * each)).toEqual(moments.slice(2 * each, 3 * each));
      expect(largest(moments.slice(0, each), moments.slice(3 * each, 4 * each))).toBeGreaterThan(0.1);
    }
    expect(tensorCount()).toBe(before);
  });

  it("gives constants that a backward pass may keep", async () => {
    for (const cache of [{ dir }, undefined]) {
      using set = await open({ cache });
      const batch = await set.load({ rows: ROWS, captions: CAPTIONS });
      scope(() => {
        const weight = ones([1]).requiresGrad_();
        enableGrad(() => batch.moments.mul(weight).mul(weight).sum().backward());
        expect(weight.grad!.item()).toBeCloseTo(2 * batch.moments.sum().item(), 1);
        expect(batch.moments.requiresGrad).toBe(false);
      });
      batch.moments.dispose();
      batch.encoderHiddenStates.dispose();
    }
  });

  it("refuses requests that it cannot meet", async () => {
    using set = await open();
    const load = (change: object) => set.load({ rows: ROWS, captions: CAPTIONS, ...change });
    await expect(load({ rows: Int32Array.of(0, 1, 2, 3, COUNT) })).rejects.toThrow(/row 13; the set has 13/);
    await expect(load({ captions: Int32Array.of(0, 0, 0, 0, -1) })).rejects.toThrow(/caption -1/);
    await expect(load({ captions: Int32Array.of(0) })).rejects.toThrow(InvDiffError);
    await expect(load({ flips: Uint8Array.of(1, 0, 0, 0, 0) })).rejects.toThrow(/flip: true/);
    await expect(load({ crops: new Float32Array(10) })).rejects.toThrow(/cropped in the middle/);
    await expect(load({ rows: new Int32Array(), captions: new Int32Array() })).rejects.toThrow(/no rows/);
  });
});

describe("a set without a cache", () => {
  it("cuts where it is told, and writes nothing", async () => {
    using set = await open({ crop: "random" });
    const crops = Float32Array.of(0, 0, 0.3, 0.9, 0.999, 0.999, 0.5, 0.1, 0.7, 0.2);
    const flips = Uint8Array.of(1, 0, 0, 0, 1);
    const request = { rows: ROWS, captions: CAPTIONS, crops, flips };
    const own = await expected(ROWS, ["", "", "", "", ""], { crops, flips });
    const { moments } = await numbers(set.load(request));
    expect(largest(moments, own.moments)).toBeLessThan(5e-5);
    const centred = await numbers(set.load({ rows: ROWS, captions: CAPTIONS }));
    expect(largest(moments, centred.moments)).toBeGreaterThan(0.1);
    expect(readdirSync(root)).toEqual([]);
  });

  it("does not depend on the batch, to the bit", async () => {
    using set = await open({ cache: undefined });
    const all = Int32Array.from({ length: COUNT }, (_, i) => i);
    const whole = await numbers(set.load({ rows: all, captions: all.map((i) => i % 5) }));
    const each = whole.moments.length / COUNT;
    for (const row of [0, 5, 12]) {
      const one = await numbers(set.load({ rows: Int32Array.of(row), captions: Int32Array.of(row % 5) }));
      expect(one.moments).toEqual(whole.moments.slice(row * each, (row + 1) * each));
    }
  });

  it("names a picture that was changed, or is gone", async () => {
    await expect(readContent(join(images, "0.png"), "0".repeat(64))).rejects.toThrow(/0\.png has changed/);
    await expect(readContent(join(images, "none.png"), "")).rejects.toThrow(DataError);
  });
});

describe("the cache", () => {
  /** Rows of pictures without doubles, and texts. */
  const [ROW_COUNT, TEXT_COUNT] = [COUNT - 1, 5];
  const same = async (a: TrainingSet, b: TrainingSet): Promise<void> => {
    const rows = Int32Array.from({ length: COUNT }, (_, i) => i);
    const request = { rows, captions: rows.map((i) => i % 5) };
    expect(await numbers(a.load(request))).toEqual(await numbers(b.load(request)));
  };

  it("encodes every picture and text once, whoever asks, and equal files as one", async () => {
    using first = await open();
    expect(first.work).toMatchObject({ encodedImages: ROW_COUNT, encodedCaptions: TEXT_COUNT, damaged: [] });
    using second = await open();
    expect(second.work).toMatchObject({ encodedImages: 0, encodedCaptions: 0, bytes: 0 });
    await same(first, second);
    // Mirror images come on top; another size is another cache, with the same texts.
    using flipped = await open({ flip: true });
    expect(flipped.work).toMatchObject({ encodedImages: ROW_COUNT, encodedCaptions: 0 });
    using small = await open({ resolution: 32 });
    expect(small.work).toMatchObject({ encodedImages: ROW_COUNT, encodedCaptions: 0 });
    expect(readdirSync(dir).map((name) => name.replace(/-[0-9a-f]{16}$/, ""))).toEqual([
      "moments",
      "moments",
      "text",
    ]);
  });

  it("encodes only what is new when pictures and captions are added", async () => {
    const part = await describeItems(openImageFolder(images).items.slice(0, 4));
    using few = await open({ items: part });
    expect(few.work).toMatchObject({ encodedImages: 4, encodedCaptions: TEXT_COUNT });
    using all = await open();
    expect(all.work).toMatchObject({ encodedImages: ROW_COUNT - 4, encodedCaptions: 0 });
  });

  it("is estimated before, and the estimate is what is written", async () => {
    const plans: { images: number; captions: number; bytes: number }[] = [];
    const onPlan = (plan: (typeof plans)[number]) => plans.push(plan);
    using set = await open({ flip: true, onPlan });
    const { latentShape } = set;
    const { encoderHiddenStates, moments } = await set.load({ rows: ROWS, captions: CAPTIONS });
    const stateShape = encoderHiddenStates.shape.slice(1);
    moments.dispose();
    encoderHiddenStates.dispose();
    const bytes = cacheEstimate({
      images: ROW_COUNT,
      flip: true,
      latentShape,
      captions: TEXT_COUNT,
      stateShape,
    });
    expect(plans[0]).toMatchObject({ images: 2 * ROW_COUNT, captions: TEXT_COUNT, bytes });
    expect(set.work.bytes).toBe(bytes);
    const onDisk = [...files("moments"), ...files("text")].reduce(
      (sum, file) => sum + statSync(file).size,
      0,
    );
    expect(onDisk).toBeGreaterThan(bytes);
    expect(onDisk).toBeLessThan(bytes + 2 * 400 + 66 * (2 * ROW_COUNT + TEXT_COUNT));
    using _again = await open({ flip: true, onPlan });
    expect(plans[1]).toMatchObject({ images: 0, captions: 0, bytes: 0 });
  });

  it("goes on after an interruption, to the same numbers", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const before = settledTensorCount();
    const report = (task: string, done: number) => {
      if (task === "encoding images" && done >= 8) controller.abort(reason);
    };
    await expect(open({ signal: controller.signal, report })).rejects.toBe(reason);
    expect(tensorCount()).toBe(before);
    using resumed = await open();
    expect(resumed.work).toMatchObject({ encodedImages: ROW_COUNT - 8, encodedCaptions: 0 });
    using online = await open({ cache: undefined });
    await same(resumed, online);
  });

  it("goes on after kill -9: whole shards are kept, nothing broken is", async () => {
    const script = fileURLToPath(new URL("../../../test/cache-child.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", script, images, MODEL, dir], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    // It stands still after 8 pictures.
    for await (const chunk of child.stdout) if (/^8$/m.test(String(chunk))) child.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(files("moments")).toHaveLength(2);
    using resumed = await open();
    expect(resumed.work).toMatchObject({ encodedImages: ROW_COUNT - 8, damaged: [] });
    using online = await open({ cache: undefined });
    await same(resumed, online);
  });

  it("makes a damaged or deleted shard again", async () => {
    (await open({ cache: { dir, shardRows: 4 } }))[Symbol.dispose]();
    const [damaged, deleted] = files("moments");
    truncateSync(damaged!, statSync(damaged!).size - 5);
    rmSync(deleted!);
    using again = await open();
    expect(again.work).toMatchObject({ encodedImages: 8, damaged: [damaged] });
    using online = await open({ cache: undefined });
    await same(again, online);
  });

  it("is filled by two sets at once without harm", async () => {
    const sets = await Promise.all([
      open({ cache: { dir, shardRows: 4 } }),
      open({ cache: { dir, shardRows: 4 } }),
    ]);
    await same(...sets);
    using third = await open();
    expect(third.work).toMatchObject({ encodedImages: 0, encodedCaptions: 0, damaged: [] });
    for (const set of sets) set[Symbol.dispose]();
  });

  it("keeps what was encoded before a broken picture, and names it", async () => {
    const broken = mkdtempSync(join(root, "broken-"));
    for (let i = 0; i < 12; i++) copyFileSync(join(images, `${i}.png`), join(broken, `${i}.png`));
    writeFileSync(join(broken, "11.png"), "not an image");
    writeRows(
      broken,
      Array.from({ length: 12 }, (_, i) => ({ file_name: `${i}.png`, text: "x" })),
    );
    const own = await describeItems(openImageFolder(broken).items);
    const before = settledTensorCount();
    await expect(open({ items: own })).rejects.toThrow(/11\.png cannot be read as an image/);
    expect(tensorCount()).toBe(before);
    copyFileSync(join(images, "11.png"), join(broken, "11.png"));
    using set = await open({ items: await describeItems(openImageFolder(broken).items) });
    expect(set.work.encodedImages).toBe(4);
  });
});
