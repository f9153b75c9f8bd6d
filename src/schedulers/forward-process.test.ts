// The forward process with its table on a device: the scheduler's own numbers to the bit, without waiting, and in graphs.
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { simulatedDevice } from "../../test/simulated-device.ts";
import {
  DeviceGraph,
  type Device,
  type DType,
  Generator,
  memoryStats,
  randn,
  recordStream,
  scope,
  Stream,
  tensor,
  type Tensor,
  tensorCount,
} from "../torch/index.ts";
import { makeScheduler, SCHEDULERS, type SchedulerName, stepNoise } from "./index.ts";

const simulated = simulatedDevice();
const names = Object.keys(SCHEDULERS) as SchedulerName[];
const predictions = ["epsilon", "v_prediction"] as const;
const cases = names.flatMap((name) => predictions.map((prediction_type) => ({ name, prediction_type })));

const draw = (seed: number, device: Device, dtype: DType = "float32"): Tensor =>
  randn([3, 4, 5, 5], { generator: new Generator().manualSeed(seed) }).to({ device, dtype });
const at = (timesteps: number[], device: Device) => tensor(timesteps, { dtype: "int64", device });

describe.each(cases)("$name, $prediction_type", ({ name, prediction_type }) => {
  const make = () => {
    const scheduler = makeScheduler(name, { prediction_type });
    scheduler.setTimesteps(10);
    return scheduler;
  };

  it.each(["cpu", simulated.device])("gives the scheduler's own numbers on %s", (device) => {
    const count = settledTensorCount();
    {
      const scheduler = make();
      using process = scheduler.forwardProcess(device);
      for (const dtype of ["float32", "bfloat16"] as const) {
        scope(() => {
          const [latents, noise] = [draw(1, device, dtype), draw(2, device, dtype)];
          const own = [0, 500, 999];
          const timesteps = at(own, device);
          // The scheduler by itself, on the processor, from numbers.
          const expected = [latents.to("cpu"), noise.to("cpu")] as const;
          const pairs = [
            [process.addNoise(latents, noise, timesteps), scheduler.addNoise(...expected, own)],
            [process.trainingTarget(latents, noise, timesteps), scheduler.trainingTarget(...expected, own)],
          ] as const;
          for (const [actual, wanted] of pairs) {
            expect([actual.device, actual.dtype]).toEqual([device, dtype]);
            expect(actual.toNumbers()).toEqual(wanted.toNumbers());
          }
        });
      }
    }
    expect(tensorCount()).toBe(count);
  });

  it("waits for nothing, and neither does the scheduler given numbers of the processor", () => {
    const { device } = simulated;
    const scheduler = make();
    using process = scheduler.forwardProcess(device);
    scope(() => {
      const [latents, noise, timesteps] = [draw(1, device), draw(2, device), at([7, 8, 9], device)];
      simulated.resetWaits();
      process.addNoise(latents, noise, timesteps);
      process.trainingTarget(latents, noise, timesteps);
      for (const given of [[7, 8, 9], at([7, 8, 9], "cpu"), timesteps]) {
        scheduler.addNoise(latents, noise, given);
        scheduler.trainingTarget(latents, noise, given);
      }
      expect(simulated.waits()).toBe(0);
    });
  });

  it("can be recorded, and then follows the timesteps", () => {
    const { device } = simulated;
    const before = memoryStats(device).allocatedBytes;
    {
      using process = make().forwardProcess(device);
      using graph = new DeviceGraph(device);
      scope(() => {
        const [latents, noise, timesteps] = [draw(1, device), draw(2, device), at([1, 2, 3], device)];
        const run = () => [
          process.addNoise(latents, noise, timesteps),
          process.trainingTarget(latents, noise, timesteps),
        ];
        scope(() => graph.warmup(run).forEach((xs) => recordStream(xs, Stream.current(device))));
        const recorded = graph.capture(run);
        for (const given of [
          [4, 700, 999],
          [0, 0, 0],
        ]) {
          timesteps.copy_(at(given, device));
          graph.replay();
          expect(recorded.map((xs) => xs.toNumbers())).toEqual(run().map((xs) => xs.toNumbers()));
        }
      });
    }
    expect(memoryStats(device).allocatedBytes).toBe(before);
  });
});

describe("the noise of a step", () => {
  it.each(["float32", "float16"] as const)("is the processor's, %s, and nothing waits for it", (dtype) => {
    const generators = () => [1, 2, 3].map((seed) => new Generator().manualSeed(seed));
    const one = () => new Generator().manualSeed(4);
    scope(() => {
      const [here, there] = [draw(0, "cpu", dtype), draw(0, simulated.device, dtype)];
      simulated.resetWaits();
      const noises = [stepNoise(there, generators()), stepNoise(there, one())];
      expect(simulated.waits()).toBe(0);
      expect(noises.map(({ device }) => device)).toEqual([simulated.device, simulated.device]);
      expect(noises.map((noise) => noise.toNumbers())).toEqual([
        stepNoise(here, generators()).toNumbers(),
        stepNoise(here, one()).toNumbers(),
      ]);
    });
  });
});
