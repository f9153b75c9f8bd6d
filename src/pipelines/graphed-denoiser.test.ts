// On the simulated device, whose graphs really replay: what was recorded runs again on the same memory, with the numbers of
// then. Every comparison is to the bit.
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { simulatedDevice } from "../../test/simulated-device.ts";
import { loadUnet, type UNet2DConditionModel } from "../models/index.ts";
import { Ema, Lora, withLora } from "../nn/index.ts";
import {
  autocast,
  type Device,
  Generator,
  inferenceMode,
  memoryStats,
  noGrad,
  randn,
  scope,
  tensor,
  type Tensor,
  tensorCount,
} from "../torch/index.ts";
import { type Denoiser, graphedDenoiser } from "./index.ts";

const { device } = simulatedDevice();
const open = () => loadUnet(golden("tiny-sd2/unet"), { device });

const normal = (shape: number[], seed: number, on: Device = device) =>
  randn(shape, { generator: new Generator().manualSeed(seed) }).to(on);

type Inputs = [Tensor, Tensor, Tensor];

const inputsFor = (unet: UNet2DConditionModel, batch: number, seed = 0): Inputs => [
  normal([batch, 4, 8, 8], seed),
  tensor(
    Array.from({ length: batch }, (_, i) => 30 * i + seed),
    { dtype: "int64", device },
  ),
  normal([batch, 5, unet.config.cross_attention_dim as number], seed + 1),
];

/** Predictions of several calls, each on inputs of its own. */
const predictions = (denoiser: Denoiser, unet: UNet2DConditionModel, batch: number, seeds: number[]) =>
  inferenceMode(() =>
    seeds.map((seed) => scope(() => denoiser.forward(...inputsFor(unet, batch, seed)).toNumbers())),
  );

describe("a graphed denoiser", () => {
  it("gives what the plain one gives, call by call, and one graph to each kind of batch", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    for (const [batch, seeds] of [
      [4, [1, 2, 3, 4]],
      [2, [5, 6, 7]],
      [4, [8, 9]],
    ] as const) {
      expect(predictions(graphed, unet, batch, [...seeds])).toEqual(
        predictions(unet, unet, batch, [...seeds]),
      );
    }
    expect(graphed.graphs).toBe(2);
  });

  it("starts one kernel in place of all, and waits for nothing", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    const simulated = simulatedDevice();
    inferenceMode(() =>
      scope(() => {
        const inputs = inputsFor(unet, 2);
        const count = () => {
          const before = simulated.launches();
          scope(() => graphed.forward(...inputs));
          return simulated.launches() - before;
        };
        const [first] = [count(), count()];
        simulated.resetWaits();
        // Three inputs in, the graph, its output out.
        expect(count()).toBe(5);
        expect(first).toBeGreaterThan(100);
        expect(simulated.waits()).toBe(0);
      }),
    );
  });

  it("hands out results of its own", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    inferenceMode(() =>
      scope(() => {
        const [one, two] = [inputsFor(unet, 2, 1), inputsFor(unet, 2, 2)];
        const results = [one, two, one, two].map((inputs) => graphed.forward(...inputs));
        const expected = [one, two, one, two].map((inputs) => unet.forward(...inputs));
        expect(results.map((result) => result.toNumbers())).toEqual(
          expected.map((result) => result.toNumbers()),
        );
      }),
    );
  });

  it("gives results that may be used in training, outside of inference mode", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    scope(() => {
      const inputs = inputsFor(unet, 2);
      const results = noGrad(() => [0, 1, 2].map(() => graphed.forward(...inputs)));
      const weight = tensor([2], { device }).requiresGrad_();
      for (const result of results) result.mul(weight).sum(null).backward();
      const sum = results.reduce((total, result) => total + result.sum(null).item(), 0);
      expect(weight.grad!.item()).toBeCloseTo(sum, 3);
    });
    expect(graphed.graphs).toBe(1);
  });

  it("is plain where gradients are recorded, under autocast, and on the processor", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    scope(() => {
      const inputs = inputsFor(unet, 2);
      for (let i = 0; i < 3; i++) expect(graphed.forward(...inputs).requiresGrad).toBe(true);
      for (let i = 0; i < 3; i++)
        noGrad(() => autocast({ device, dtype: "bfloat16" }, () => graphed.forward(...inputs)));
    });
    expect(graphed.graphs).toBe(0);
    using local = loadUnet(golden("tiny-sd2/unet"));
    using same = graphedDenoiser(local, "cpu");
    inferenceMode(() =>
      scope(() => {
        const inputs = inputsFor(unet, 2).map((input) => input.to("cpu")) as Inputs;
        for (let i = 0; i < 3; i++)
          expect(same.forward(...inputs).toNumbers()).toEqual(local.forward(...inputs).toNumbers());
      }),
    );
    expect(same.graphs).toBe(0);
  });
});

describe("a graph sees weights as they are", () => {
  const compare = (graphed: Denoiser, unet: UNet2DConditionModel) => {
    const expected = predictions(unet, unet, 2, [1, 2, 3]);
    expect(predictions(graphed, unet, 2, [1, 2, 3])).toEqual(expected);
    return expected;
  };

  it("changed in place: the same graph serves", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    using ema = new Ema(unet.namedParameters());
    const before = compare(graphed, unet);
    noGrad(() => unet.parameters().forEach((value) => scope(() => value.mul_(0.9))));
    const after = compare(graphed, unet);
    expect(after).not.toEqual(before);
    ema.withAverages(() => expect(compare(graphed, unet)).toEqual(before));
    expect(compare(graphed, unet)).toEqual(after);
    expect(graphed.graphs).toBe(1);
  });

  it("exchanged: recorded anew, and the old graph is gone", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    const before = compare(graphed, unet);
    unet.to({ dtype: "float64" }).to({ dtype: "float32" });
    expect(compare(graphed, unet)).toEqual(before);
    unet.toMemoryFormat_("contiguous_format");
    compare(graphed, unet);
    expect(graphed.graphs).toBe(1);
  });

  it("with adapters on, off, at another strength, merged and detached", () => {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    const base = compare(graphed, unet);
    const lora = new Lora(unet, { rank: 2 });
    noGrad(() => {
      for (const [key, value] of lora.namedParameters()) if (key.includes("lora_B")) value.fill_(0.05);
    });
    const on = compare(graphed, unet);
    expect(on).not.toEqual(base);
    withLora(lora, 0, () => expect(compare(graphed, unet)).toEqual(base));
    withLora(lora, 0.5, () => expect(compare(graphed, unet)).not.toEqual(on));
    expect(compare(graphed, unet)).toEqual(on);
    lora.merge();
    const merged = compare(graphed, unet);
    expect(merged).not.toEqual(base);
    lora.unmerge();
    compare(graphed, unet);
    lora[Symbol.dispose]();
    compare(graphed, unet);
  });

  it("released: says so", () => {
    const unet = open();
    using graphed = graphedDenoiser(unet, device);
    compare(graphed, unet);
    scope(() => {
      const inputs = inputsFor(unet, 2);
      unet[Symbol.dispose]();
      expect(() => noGrad(() => graphed.forward(...inputs))).toThrow(/was released with its model/);
    });
  });
});

describe("what cannot be recorded", () => {
  const reading = (unet: UNet2DConditionModel): Denoiser => ({
    forward: (sample, timesteps, states) =>
      unet.forward(sample.mul(sample.abs().max().item()), timesteps, states),
    graphKey: () => unet.graphKey(),
  });

  it("is an error that names the operator, or told once and called plainly", () => {
    using unet = open();
    using strict = graphedDenoiser(reading(unet), device);
    expect(() => predictions(strict, unet, 2, [1, 2])).toThrow(/graph could not be captured/);
    const failures: unknown[] = [];
    using lenient = graphedDenoiser(reading(unet), device, { onFailure: (error) => failures.push(error) });
    expect(predictions(lenient, unet, 2, [1, 2, 3])).toEqual(predictions(reading(unet), unet, 2, [1, 2, 3]));
    expect(failures).toHaveLength(1);
    expect(lenient.graphs).toBe(0);
  });

  it("is not tried where the denoiser does not tell what it depends on", () => {
    using unet = open();
    const opaque: Denoiser = { forward: (...args) => unet.forward(args[0], args[1], args[2]) };
    using graphed = graphedDenoiser(opaque, device);
    expect(predictions(graphed, unet, 2, [1, 2, 3])).toEqual(predictions(unet, unet, 2, [1, 2, 3]));
    expect(graphed.graphs).toBe(0);
  });
});

it("leaves nothing behind, whatever it recorded", () => {
  const count = settledTensorCount();
  const { allocatedBytes } = memoryStats(device);
  {
    using unet = open();
    using graphed = graphedDenoiser(unet, device);
    const held = tensorCount();
    for (const batch of [1, 2, 3, 4, 5, 6]) predictions(graphed, unet, batch, [1, 2, 3]);
    // Four graphs at most, each with its three inputs and its output.
    expect(graphed.graphs).toBe(4);
    expect(settledTensorCount()).toBe(held + 16);
  }
  expect(settledTensorCount()).toBe(count);
  expect(memoryStats(device).allocatedBytes).toBe(allocatedBytes);
});
