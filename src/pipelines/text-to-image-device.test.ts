// Sampling on the simulated device: what waits for it (nothing, from the first step to the last), and that replayed graphs
// give the very images of plain calls.
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { simulatedDevice } from "../../test/simulated-device.ts";
import type { SchedulerName } from "../schedulers/index.ts";
import { memoryStats, tensorCount } from "../torch/index.ts";
import { type GenerateOptions, loadPipeline, type LoadPipelineOptions, type PipelineParts } from "./index.ts";
import type { TextToImagePipeline } from "./index.ts";

const simulated = simulatedDevice();
const { device } = simulated;

const open = (options: LoadPipelineOptions = {}, kind = "sd2") =>
  loadPipeline(golden(`tiny-${kind}`), { device, ...options });

const release = ({ parts }: ReturnType<typeof open>) => {
  for (const part of [parts.unet, parts.vae, parts.textEncoder]) part[Symbol.dispose]();
};

const sample = async (pipeline: TextToImagePipeline, options: Partial<GenerateOptions> = {}) => {
  const { latents, images } = await pipeline.generate({
    ...{ prompts: ["a bird", "a boat", "a bird"], seeds: [1, 2, 3], steps: 5, batchSize: 2, ...options },
  });
  const numbers = [...latents.toNumbers(), ...(images?.toNumbers() ?? [])];
  latents.dispose();
  images?.dispose();
  return numbers;
};

const cases: [string, SchedulerName, Record<string, unknown>, Partial<GenerateOptions>][] = [
  ["ddpm", "ddpm", {}, {}],
  ["ddim", "ddim", {}, {}],
  ["ddim with noise", "ddim", {}, { eta: 1 }],
  ["pndm", "pndm", {}, {}],
  ["pndm with Runge-Kutta", "pndm", { skip_prk_steps: false }, {}],
  ["euler", "euler", {}, {}],
  ["euler, fractional timesteps", "euler", { timestep_spacing: "linspace" }, {}],
  ["dpmsolver++", "dpmsolver++", {}, {}],
  ["sde-dpmsolver++", "dpmsolver++", { algorithm_type: "sde-dpmsolver++" }, {}],
];

describe.each(cases)("%s", (_, scheduler, schedulerOptions, options) => {
  it("waits for nothing between the first step and the last, and reads twice a batch", async () => {
    const pipeline = open({ scheduler, schedulerOptions });
    const waits: number[] = [];
    const taken = { ...options, prompts: ["a bird", "a boat"], seeds: [1, 2], negativePrompt: "blurred" };
    simulated.resetWaits();
    const result = await pipeline.generate({
      ...{ ...taken, steps: 5, onStep: () => waits.push(simulated.waits()) },
    });
    expect(waits.length).toBeGreaterThan(4);
    expect(new Set(waits)).toEqual(new Set([0]));
    expect([simulated.waits(), simulated.waits("read")]).toEqual([2, 2]);
    for (const tensor of [result.latents, result.images!]) tensor.dispose();
    release(pipeline);
  });

  it("gives the same images by replayed graphs, in batches with a smaller last one", async () => {
    const plain = open({ scheduler, schedulerOptions });
    const expected = await sample(plain, options);
    expect(await sample(plain.with({ graphs: true }), options)).toEqual(expected);
    release(plain);
  });
});

describe("graphs", () => {
  it("serve any seeds, prompts and strength of guidance", async () => {
    const plain = open({ scheduler: "ddim" });
    const expected = await sample(plain);
    for (const change of [
      { guidanceScale: 1 },
      { guidanceScale: 3, guidanceRescale: 0.5, negativePrompt: "blurred" },
      { seeds: [4, 5, 6] },
    ]) {
      const changed = await sample(plain, change);
      expect(changed).not.toEqual(expected);
      expect(await sample(plain.with({ graphs: true }), change)).toEqual(changed);
    }
    release(plain);
  });

  it("make few launches of many, and wait for nothing once they are recorded", async () => {
    const pipeline = open({ scheduler: "ddim" });
    const counts = async (graphs: boolean) => {
      const [launches, waits]: number[][] = [[], []];
      const onStep = () => {
        launches!.push(simulated.launches());
        waits!.push(simulated.waits());
      };
      await sample(pipeline.with({ graphs }), { onStep, prompts: ["a bird"], seeds: [1], steps: 6 });
      return { launches: launches!.at(-1)! - launches!.at(-2)!, waits: waits!.slice(2) };
    };
    const [plain, graphed] = [await counts(false), await counts(true)];
    expect(plain.launches).toBeGreaterThan(150);
    expect(graphed.launches).toBeLessThan(40);
    expect(new Set(graphed.waits).size).toBe(1);
    release(pipeline);
  });
});

describe("images", () => {
  it.each(["sd1", "sd2"])("of %s are those of the processor with the same weights", async (kind) => {
    const [there, here] = [
      open({ graphs: true }, kind),
      open({ device: "cpu", memoryFormat: "channels_last" }, kind),
    ];
    const [actual, expected] = [await sample(there), await sample(here)];
    expect(actual).toHaveLength(expected.length);
    const error = Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
    // The last values are pixels of 0 to 255, where one may be rounded the other way.
    expect(error).toBeLessThanOrEqual(1);
    const latents = 3 * here.parts.latentShape.reduce((a, b) => a * b, 1);
    const inLatents = actual.slice(0, latents).map((value, i) => Math.abs(value - expected[i]!));
    expect(Math.max(...inLatents)).toBeLessThan(1e-4);
    release(there);
    release(here);
  });

  it("are decoded some at a time and read at once", async () => {
    const pipeline = open();
    const decoded: number[] = [];
    const vae: PipelineParts["vae"] = {
      config: pipeline.parts.vae.config,
      decode: (latents, options) => {
        decoded.push(latents.shape[0]!);
        return pipeline.parts.vae.decode(latents, options);
      },
    };
    const seeds = Array.from({ length: 19 }, (_, i) => i);
    const prompts = seeds.map(() => "a bird");
    const options = { prompts, seeds, steps: 1, batchSize: 19, guidanceScale: 1 };
    const numbers = await sample(pipeline.with({ vae }), options);
    expect(decoded).toEqual([8, 8, 3]);
    expect(numbers.every(Number.isFinite)).toBe(true);
    release(pipeline);
  });
});

describe("options", () => {
  it("tell of graphs that could not be recorded, and go on without", async () => {
    const pipeline = open();
    const failures: unknown[] = [];
    const reading: PipelineParts["unet"] = {
      forward: (latents, timesteps, states) =>
        pipeline.parts.unet.forward(latents.mul(latents.sign().abs().max().item()), timesteps, states),
      graphKey: () => [],
    };
    const graphs = { onFailure: (error: unknown) => failures.push(error) };
    const expected = await sample(pipeline);
    expect(await sample(pipeline.with({ unet: reading, graphs }))).toEqual(expected);
    expect(failures).toHaveLength(1);
    release(pipeline);
  });

  it("keep to the contiguous format when asked", () => {
    const pipeline = open({ memoryFormat: "contiguous_format" });
    expect(pipeline.parts.unet.memoryFormat).toBe("contiguous_format");
    release(pipeline);
    const own = open();
    expect([own.parts.unet.memoryFormat, own.parts.vae.memoryFormat]).toEqual([
      "channels_last",
      "channels_last",
    ]);
    release(own);
  });
});

it("leaves the device as it was, also when it is stopped", async () => {
  const pipeline = open({ graphs: true });
  const count = settledTensorCount();
  const { allocatedBytes } = memoryStats(device);
  await sample(pipeline);
  const controller = new AbortController();
  const stopped = sample(pipeline, {
    steps: 10,
    signal: controller.signal,
    onStep: ({ step }) => void (step === 4 && controller.abort(new Error("enough"))),
  });
  await expect(stopped).rejects.toThrow("enough");
  expect(settledTensorCount()).toBe(count);
  expect(memoryStats(device).allocatedBytes).toBe(allocatedBytes);
  release(pipeline);
  expect(tensorCount()).toBeLessThan(count);
});
