import { describe, expect, it } from "vitest";

import { golden } from "../../test/golden-dir.ts";
import { memorySet } from "../../test/memory-set.ts";
import { settledTensorCount } from "../../test/settled.ts";
import type { Denoiser } from "../pipelines/index.ts";
import { loadScheduler } from "../schedulers/index.ts";
import { randint, randn, scope, tensorCount } from "../torch/index.ts";
import { measureSignal, signalColumns, type SignalName, type SignalOptions } from "./signals.ts";
import { stepGenerator } from "../data/index.ts";

const CHANNELS = 2;
const PIXELS = 9;
const set = memorySet({ images: 11, latentShape: [CHANNELS, 3, 3], stateShape: [1, 1], scalingFactor: 0.5 });
const scheduler = loadScheduler(golden("tiny-sd1/scheduler"), { as: "ddpm" });
/** Predicts the noisy latents times the caption's one number. */
const denoiser: Denoiser = {
  forward: (sample, _, states) => sample.mul(states.view([-1, 1, 1, 1])),
};
const options: SignalOptions = { seed: 5, batchSize: 4, timesteps: [100, 900], noises: 2 };
const measure = (name: SignalName, changes: Partial<SignalOptions> = {}) =>
  measureSignal(name, { denoiser, scheduler }, set, { ...options, ...changes });

const size = CHANNELS * PIXELS;
const moments = set.moments.toNumbers();
/** Mean latents of an image: the first half of its moments' channels, scaled. */
const latentsOf = (image: number) =>
  moments.slice(2 * size * image, 2 * size * image + size).map((x) => 0.5 * x);
const factors = set.states.toNumbers();
const factorOf = (image: number) => factors[image % 2]!;

/** Loss of predicting `factor` times the noisy latents, by the formula. */
function lossBy(
  latents: number[],
  noise: number[],
  { timestep, factor, target = noise }: { timestep: number; factor: number; target?: number[] },
): number {
  const product = scheduler.alphasCumprod[timestep]!;
  const errors = latents.map(
    (z, i) => factor * (Math.sqrt(product) * z + Math.sqrt(1 - product) * noise[i]!) - target[i]!,
  );
  return errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length;
}

const expectClose = (values: ArrayLike<number>, expected: readonly number[]) => {
  expect(values).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 4));
};

describe("profile", () => {
  const draw = () => randn([2, CHANNELS, 3, 3], { generator: stepGenerator(5, 0) }).toNumbers();
  const noises = scope(draw);
  const noiseOf = (column: { noise: number }) => noises.slice(size * column.noise, size * (column.noise + 1));

  it.each(["none", "empty-caption", "both"] as const)("is the formula's, contrast %s", async (contrast) => {
    const { losses, columns } = await measure("profile", { contrast });
    expect(columns).toEqual(signalColumns("profile", { ...options, contrast }));
    const expected = set.ids.flatMap((_, image) =>
      columns.map((column) => {
        const by = (factor: number) =>
          lossBy(latentsOf(image), noiseOf(column), { timestep: column.timestep as number, factor });
        return by(factorOf(image)) - (column.contrast ? by(factors[2]!) : 0);
      }),
    );
    expectClose(losses, expected);
  });

  it("names its columns: timesteps, noises, then the loss and its contrast", () => {
    const columns = signalColumns("profile", { timesteps: [7, 8], noises: 2, contrast: "both" });
    expect(columns).toHaveLength(8);
    expect(columns.slice(1, 5)).toEqual([
      { timestep: 7, noise: 0, contrast: true },
      { timestep: 7, noise: 1, contrast: false },
      { timestep: 7, noise: 1, contrast: true },
      { timestep: 8, noise: 0, contrast: false },
    ]);
    expect(signalColumns("profile", { timesteps: [7], noises: 1 })).toEqual([
      { timestep: 7, noise: 0, contrast: true },
    ]);
  });

  it("asks for no empty caption when there is nothing to contrast", async () => {
    const asked: number[] = [];
    const watched = {
      ...set,
      load: (request: Parameters<typeof set.load>[0]) => {
        asked.push(...request.captions);
        return set.load(request);
      },
    };
    await measureSignal("profile", { denoiser, scheduler }, watched, { ...options, contrast: "none" });
    expect(asked).toEqual(set.ids.map((_, i) => i % 2));
  });
});

describe.each(["single", "reference"] as const)("%s", (name) => {
  it("is the formula's for the noise and timestep of each image", async () => {
    const { losses, columns } = await measure(name);
    expect(columns).toEqual([{ timestep: "random", noise: 0, contrast: false }]);
    const expected = [0, 4, 8].flatMap((first) =>
      scope(() => {
        const count = Math.min(4, set.ids.length - first);
        const generator = stepGenerator(5, first);
        const noise = randn([count, size], { generator }).toNumbers();
        const timesteps = randint(1000, [count], { generator, dtype: "int64" }).toNumbers();
        return timesteps.map((timestep, i) => {
          const image = first + i;
          const latents = latentsOf(image);
          const target = name === "reference" ? { target: latents } : {};
          const own = noise.slice(size * i, size * (i + 1));
          return lossBy(latents, own, { timestep, factor: factorOf(image), ...target });
        });
      }),
    );
    expectClose(losses, expected);
  });
});

describe("rows in parts", () => {
  it.each(["profile", "single", "reference"] as const)("of %s are the bits of the whole", async (name) => {
    const whole = await measure(name, { contrast: "both" });
    const parts = await Promise.all(
      [
        { first: 8, last: 11 },
        { first: 0, last: 8 },
      ].map(async (rows) => ({ ...rows, ...(await measure(name, { contrast: "both", rows })) })),
    );
    const width = whole.columns.length;
    for (const { first, last, losses } of parts)
      expect(losses).toEqual(whole.losses.slice(first * width, last * width));
  });

  it("begin with a batch", async () =>
    await expect(measure("single", { rows: { first: 2, last: 8 } })).rejects.toThrow(
      /no batch of 4 begins at row 2/,
    ));
});

describe("measureSignal", () => {
  it("reports each batch and stops where it is told, leaving no tensor behind", async () => {
    const before = settledTensorCount();
    const done: string[] = [];
    await measure("profile", { onBatch: (rows, total) => void done.push(`${rows}/${total}`) });
    expect(done).toEqual(["4/11", "8/11", "11/11"]);
    const stop = new Error("stop");
    const stopped = measure("profile", {
      onBatch: (rows) => {
        if (rows === 8) throw stop;
      },
    });
    await expect(stopped).rejects.toBe(stop);
    expect(tensorCount()).toBe(before);
  });

  it("gives other numbers for another seed", async () => {
    const [a, b] = await Promise.all([5, 6].map((seed) => measure("profile", { seed })));
    expect(a!.losses).not.toEqual(b!.losses);
  });
});
