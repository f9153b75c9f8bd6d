import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { DdimScheduler } from "../schedulers/index.ts";
import {
  cat,
  ConfigError,
  full,
  Generator,
  keep,
  randn,
  scope,
  type Tensor,
  tensorCount,
} from "../torch/index.ts";
import {
  classifierFreeGuidance,
  type GenerateOptions,
  type PipelineParts,
  TextToImagePipeline,
} from "./index.ts";

const SHAPE = [4, 4, 4] as const;

interface Calls {
  batches: number[];
  encoded: string[];
}

/**
 * Parts in closed form: a prompt is a number; its text state is that number everywhere; the denoiser predicts
 * `number * sample` as the clean latents; the decoder spreads the first three channels over [-1, 1].
 */
function fakeParts(calls: Calls = { batches: [], encoded: [] }): PipelineParts {
  return {
    tokenizer: {
      encode: (texts) => {
        calls.encoded.push(...texts);
        return {
          inputIds: BigInt64Array.from(texts.map((text) => BigInt(text || 0))),
          shape: [texts.length, 1],
        };
      },
    },
    textEncoder: { forward: (ids) => ids.to("float32").unsqueeze(-1) },
    unet: {
      forward: (sample, timesteps, states) => {
        calls.batches.push(sample.shape[0]!);
        expect(timesteps.shape).toEqual([sample.shape[0]]);
        expect(timesteps.dtype).toBe("int64");
        return sample.mul(states.mean([1, 2]).div(10).view([-1, 1, 1, 1]));
      },
    },
    vae: { decode: (latents) => latents.slice(1, 0, 3).clamp(-2, 2), config: { scaling_factor: 0.5 } },
    scheduler: new DdimScheduler({ prediction_type: "sample", clip_sample: false }),
    latentShape: SHAPE,
  };
}

const run = async (options: Partial<GenerateOptions>, parts = fakeParts()) => {
  const result = await new TextToImagePipeline(parts).generate({
    prompts: ["3", "5"],
    seeds: [1, 2],
    steps: 4,
    ...options,
  });
  return result as { latents: Tensor; images: Tensor };
};

/** The same loop by hand for one image: plain float64 arithmetic on one element. */
function expectedLatents(
  prompt: number,
  seed: number,
  { steps = 4, guidanceScale = 7.5, negative = 0 } = {},
): number[] {
  const noise = scope(() =>
    randn([1, ...SHAPE], { generator: new Generator().manualSeed(seed) }).toNumbers(),
  );
  const scheduler = new DdimScheduler();
  scheduler.setTimesteps(steps);
  const gain = guidanceScale > 1 ? negative + guidanceScale * (prompt - negative) : prompt;
  return noise.map((value) => {
    for (const t of scheduler.timesteps) {
      const [now, next] = [scheduler.alphasCumprod[t]!, scheduler.alphasCumprod[t - 1000 / steps] ?? 1];
      const clean = (value * gain) / 10;
      const rest = (value - Math.sqrt(now) * clean) / Math.sqrt(1 - now);
      value = Math.sqrt(next) * clean + Math.sqrt(1 - next) * rest;
    }
    return value;
  });
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  const scale = Math.max(...expected.map(Math.abs));
  expect(Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!))) / scale).toBeLessThan(1e-5);
}

describe("the denoising loop", () => {
  it("without guidance calls the denoiser once per image and step", async () => {
    const calls = { batches: [], encoded: [] } as Calls;
    const { latents } = await run({ guidanceScale: 1 }, fakeParts(calls));
    expect(calls.batches).toEqual([2, 2, 2, 2]);
    expect(latents.shape).toEqual([2, ...SHAPE]);
    expectClose(latents.toNumbers(), [
      ...expectedLatents(3, 1, { guidanceScale: 1 }),
      ...expectedLatents(5, 2, { guidanceScale: 1 }),
    ]);
  });

  it("with guidance runs both halves in one batch", async () => {
    const calls = { batches: [], encoded: [] } as Calls;
    const { latents } = await run({ guidanceScale: 2, negativePrompt: "1" }, fakeParts(calls));
    expect(calls.batches).toEqual([4, 4, 4, 4]);
    const options = { guidanceScale: 2, negative: 1 };
    expectClose(latents.toNumbers(), [...expectedLatents(3, 1, options), ...expectedLatents(5, 2, options)]);
  });

  it("makes the same image in every batch", async () => {
    const prompts = ["1", "2", "3", "4", "5"];
    const seeds = [10, 11, 12, 13, 14];
    const calls = { batches: [], encoded: [] } as Calls;
    const whole = await run({ prompts, seeds, eta: 1 });
    const parts = await run({ prompts, seeds, eta: 1, batchSize: 2 }, fakeParts(calls));
    expect(new Set(calls.batches)).toEqual(new Set([4, 2]));
    expect(parts.latents.toNumbers()).toEqual(whole.latents.toNumbers());
    expect(parts.images.toNumbers()).toEqual(whole.images.toNumbers());
  });

  it("encodes each distinct prompt once", async () => {
    const calls = { batches: [], encoded: [] } as Calls;
    await run({ prompts: ["3", "3", "5", "3"], seeds: [1, 2, 3, 4], batchSize: 2 }, fakeParts(calls));
    expect(calls.encoded).toEqual(["", "3", "5"]);
  });
});

describe("options", () => {
  it("start from given latents as from the same noise drawn", async () => {
    const { latents: expected } = await run({ batchSize: 1 });
    using noise = keep(
      scope(() =>
        cat(
          [1, 2].map((seed) => randn([1, ...SHAPE], { generator: new Generator().manualSeed(seed) })),
          0,
        ),
      ),
    );
    const { latents } = await run({ latents: noise, seeds: [8, 9], batchSize: 1 });
    expect(latents.toNumbers()).toEqual(expected.toNumbers());
    await expect(run({ latents: expected.slice(0, 0, 1) })).rejects.toThrow(
      /latents have the shape \[1, 4, 4, 4\]; expected \[2,/,
    );
    await expect(run({ latents: expected.slice(1, 0, 3) })).rejects.toThrow(/3 channels; expected 4/);
  });

  it("take a negative prompt per image", async () => {
    const { latents } = await run({ guidanceScale: 2, negativePrompt: ["1", "2"], batchSize: 1 });
    expectClose(latents.toNumbers(), [
      ...expectedLatents(3, 1, { guidanceScale: 2, negative: 1 }),
      ...expectedLatents(5, 2, { guidanceScale: 2, negative: 2 }),
    ]);
    await expect(run({ negativePrompt: ["1"] })).rejects.toThrow(/2 prompts but 1 negative prompts/);
  });

  it("hand the clip skip to the text encoder, and refuse a fraction", async () => {
    const parts = fakeParts();
    const skips: unknown[] = [];
    const textEncoder: PipelineParts["textEncoder"] = {
      forward: (ids, options) => {
        skips.push(options?.clipSkip);
        return ids.to("float32").unsqueeze(-1);
      },
    };
    await run({ clipSkip: 2 }, { ...parts, textEncoder });
    expect(skips).toEqual([2, 2, 2]);
    await expect(run({ clipSkip: 0.5 })).rejects.toThrow(/clipSkip is 0.5/);
  });

  it("give the callback the latents of every step", async () => {
    const seen: number[][] = [];
    const { latents } = await run({
      prompts: ["3"],
      seeds: [1],
      guidanceScale: 1,
      onStep: (progress) => seen.push([progress.timestep, ...progress.latents.toNumbers()]),
    });
    expect(seen.map(([timestep]) => timestep)).toEqual([750, 500, 250, 0]);
    expect(seen.at(-1)!.slice(1)).toEqual(latents.toNumbers());
  });
});

describe("classifier-free guidance", () => {
  it("rescaled to the full has the conditional prediction's standard deviation", () => {
    scope(() => {
      const prediction = randn([4, 4, 3, 3], { generator: new Generator().manualSeed(0) });
      const guided = (guidanceRescale: number) =>
        classifierFreeGuidance(prediction, { guidanceScale: 5, guidanceRescale });
      const std = (values: number[]) => {
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1));
      };
      const row = (xs: Tensor, i: number) => xs.select(0, i).toNumbers();
      for (const i of [0, 1]) {
        const conditional = std(row(prediction, 2 + i));
        expect(std(row(guided(1), i))).toBeCloseTo(conditional, 5);
        const half = (std(row(guided(0), i)) + conditional) / 2;
        expect(std(row(guided(0.5), i))).toBeCloseTo(half, 5);
      }
    });
  });
});

describe("images", () => {
  it("are uint8, rounded, and clamped to 0..255", async () => {
    const { latents, images } = await run({ guidanceScale: 1 });
    expect(images.dtype).toBe("uint8");
    expect(images.shape).toEqual([2, 3, 4, 4]);
    const expected = scope(() => latents.slice(1, 0, 3).div(0.5).clamp(-2, 2).toNumbers()).map((x) =>
      Math.round(Math.min(Math.max(x / 2 + 0.5, 0), 1) * 255),
    );
    expect(images.toNumbers()).toEqual(expected);
  });

  it("are left out when only latents are wanted", async () => {
    expect((await run({ output: "latents" })).images).toBeUndefined();
  });

  it("may be used in training", async () => {
    const { latents } = await run({});
    scope(() => {
      const weight = full([1], 2, { dtype: "float32" }).requiresGrad_();
      latents.mul(weight).sum().backward();
      expect(weight.grad!.item()).toBeCloseTo(
        scope(() => latents.sum().item()),
        3,
      );
    });
  });
});

describe("progress and stopping", () => {
  it("reports every step of every batch", async () => {
    const seen: string[] = [];
    await run({
      prompts: ["1", "2", "3"],
      seeds: [1, 2, 3],
      steps: 2,
      batchSize: 2,
      onStep: ({ imagesDone, images, step, steps }) => seen.push(`${imagesDone}/${images} ${step}/${steps}`),
    });
    expect(seen).toEqual(["0/3 1/2", "0/3 2/2", "2/3 1/2", "2/3 2/2"]);
  });

  it("lets timers run between steps", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    await run({
      steps: 50,
      onStep: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1),
    });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  it("stops between two steps and leaves nothing behind", async () => {
    const before = settledTensorCount();
    const controller = new AbortController();
    const steps: number[] = [];
    const stopped = run({
      signal: controller.signal,
      steps: 10,
      onStep: ({ step }) => {
        steps.push(step);
        if (step === 3) controller.abort(new Error("enough"));
      },
    });
    await expect(stopped).rejects.toThrow("enough");
    expect(steps).toEqual([1, 2, 3]);
    expect(tensorCount()).toBe(before);
  });

  it("leaves only the results, whatever the number of steps", async () => {
    const count = async (steps: number) => {
      const before = settledTensorCount();
      const { latents, images } = await run({ steps });
      const made = tensorCount() - before;
      latents.dispose();
      images.dispose();
      return made;
    };
    expect(await count(2)).toBe(2);
    expect(await count(50)).toBe(2);
  });
});

describe("bad options", () => {
  it.each([
    [{ prompts: [], seeds: [] }, /No prompts/],
    [{ prompts: ["1", "2"], seeds: [1] }, /2 prompts but 1 seeds/],
    [{ batchSize: 0 }, /batchSize is 0/],
    [{ steps: 0 }, /0 steps/],
  ])("%j", async (options, message) => {
    await expect(run(options)).rejects.toThrow(ConfigError);
    await expect(run(options)).rejects.toThrow(message);
  });
});
