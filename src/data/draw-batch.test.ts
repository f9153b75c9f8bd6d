import { describe, expect, it } from "vitest";

import { memorySet } from "../../test/memory-set.ts";
import { Generator, scope, tensor } from "../torch/index.ts";
import { type DrawOptions, latentsOf, planBatch } from "./draw-batch.ts";

const set = memorySet({ images: 8, latentShape: [2, 4, 4], stateShape: [3, 5], scalingFactor: 0.25 });
const rows = Int32Array.from({ length: 4000 }, (_, i) => i % 8);
const plan = (options: Partial<DrawOptions>, own = rows, seed = 3) =>
  planBatch(set, own, new Generator().manualSeed(seed), { trainTimesteps: 1000, ...options });

const share = (values: ArrayLike<number>, test: (value: number) => boolean) =>
  Array.from(values).filter(test).length / values.length;

describe("planBatch", () => {
  it("picks among an image's captions, and drops as many as asked for", () => {
    const { captions } = plan({ captionDropout: 0.25 }).request;
    captions.forEach((caption, i) => expect([i % 2, (i + 1) % 2, 2]).toContain(caption));
    expect(share(captions, (caption) => caption === 2)).toBeCloseTo(0.25, 1);
    const kept = [...captions].map((caption, i) => ({ caption, own: i % 2 })).filter((x) => x.caption < 2);
    expect(kept.filter(({ caption, own }) => caption === own).length / kept.length).toBeCloseTo(0.5, 1);
    expect(plan({}).request.captions).not.toContain(2);
  });

  it("mirrors half of the images and crops anywhere, only when asked", () => {
    const { flips, crops } = plan({ flip: true, randomCrop: true }).request;
    expect(share(flips!, (flip) => flip === 1)).toBeCloseTo(0.5, 1);
    expect(crops).toHaveLength(8000);
    expect(share(crops!, (crop) => crop < 0.25)).toBeCloseTo(0.25, 1);
    expect(plan({}).request).toMatchObject({ flips: undefined, crops: undefined });
  });

  it("draws the same for the same seed", async () => {
    const [a, b, c] = await Promise.all(
      [3, 3, 4].map(async (seed) => {
        const drawn = plan({ flip: true }, rows.subarray(0, 6), seed);
        return drawn.diffuse(await set.load(drawn.request), set.scalingFactor);
      }),
    );
    for (const name of ["latents", "noise", "timesteps", "encoderHiddenStates"] as const) {
      expect(a![name].toNumbers()).toEqual(b![name].toNumbers());
      expect(a![name].toNumbers()).not.toEqual(c![name].toNumbers());
    }
  });

  it("draws timesteps from the bounds that are given", async () => {
    const of = async (options: Partial<DrawOptions>) => {
      const drawn = plan(options);
      return drawn.diffuse(await set.load(drawn.request), 1).timesteps.toNumbers();
    };
    expect(Math.min(...(await of({})))).toBeLessThan(5);
    expect(Math.min(...(await of({ from: 700 })))).toBeGreaterThanOrEqual(700);
    const high = await of({ highNoise: { from: 600, share: 0.5 } });
    expect(share(high, (t) => t >= 600)).toBeCloseTo(0.5 + 0.5 * 0.4, 1);
  });

  it("adds the offset to whole channels and the perturbation to the input alone", async () => {
    const noiseOf = async (options: Partial<DrawOptions>) => {
      const drawn = plan(options);
      return drawn.diffuse(await set.load(drawn.request), 1);
    };
    const offset = await noiseOf({ noiseOffset: 2 });
    const plain = await noiseOf({});
    scope(() => {
      // The mean over a channel has the variance 1/16 of plain noise plus the offset's 4.
      expect(offset.noise.mean([2, 3]).std(null, { correction: 1 }).item()).toBeCloseTo(
        Math.sqrt(4 + 1 / 16),
        1,
      );
      expect(plain.noise.mean([2, 3]).std(null, { correction: 1 }).item()).toBeCloseTo(0.25, 1);
    });
    expect(plain.inputNoise).toBeUndefined();
    const perturbed = await noiseOf({ inputPerturbation: 0.5 });
    scope(() => {
      const extra = perturbed.inputNoise!.sub(perturbed.noise);
      expect(extra.std(null, { correction: 1 }).item()).toBeCloseTo(0.5, 1);
    });
  });
});

describe("latentsOf", () => {
  const encoded = { moments: tensor([[[[1]], [[2 * Math.log(3)]]]]), encoderHiddenStates: tensor([0]) };

  it("is the scaled mean without a generator", () =>
    expect(latentsOf(encoded, 0.5).toNumbers()).toEqual([0.5]));

  it("draws from the mean and the deviation of the log-variance", () => {
    const generator = new Generator().manualSeed(0);
    const draws = Array.from({ length: 4000 }, () => latentsOf(encoded, 0.5, generator).item());
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const deviation = Math.sqrt(draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length);
    expect(mean).toBeCloseTo(0.5, 1);
    expect(deviation).toBeCloseTo(1.5, 1);
  });
});
