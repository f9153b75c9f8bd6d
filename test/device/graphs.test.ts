// Graphs on the simulated device: a replay runs the same kernels on the same memory, with what lies there now.
import { describe, expect, it } from "vitest";
import {
  copyAsync_,
  DeviceGraph,
  empty,
  full,
  Generator,
  grad,
  inferenceMode,
  memoryStats,
  pinned,
  randn,
  scope,
  supportsGraphs,
  tensor,
  type Tensor,
  TorchError,
  zeros,
} from "../../src/torch/index.ts";
import { simulatedDevice } from "../simulated-device.ts";

const simulated = simulatedDevice();
const { device } = simulated;

const there = (...values: number[]): Tensor => tensor(values).to(device);

describe("graphs of the simulated device", () => {
  it("are there, and not on the processor", () => {
    expect([supportsGraphs(device), supportsGraphs("cpu")]).toEqual([true, false]);
  });

  it("compute nothing while captured, and with each replay what lies in the inputs then", () => {
    scope(() => {
      using graph = new DeviceGraph(device);
      const [input, sum] = [there(1, 2), zeros([2], { device })];
      const work = () => {
        sum.add_(input);
        return input.mul(3).add(sum);
      };
      graph.warmup(work);
      expect(sum.toNumbers()).toEqual([1, 2]);
      const output = graph.capture(work);
      expect(sum.toNumbers()).toEqual([1, 2]);
      expect(output.toNumbers()).toEqual([NaN, NaN]);
      graph.replay();
      expect(output.toNumbers()).toEqual([5, 10]);
      input.copy_(tensor([10, 20]));
      graph.replay();
      expect(sum.toNumbers()).toEqual([12, 24]);
      expect(output.toNumbers()).toEqual([42, 84]);
    });
  });

  it("keep numbers of the program as they were, and read the device's", () => {
    scope(() => {
      using graph = new DeviceGraph(device);
      const input = there(1, 2);
      const [number, far] = [full([], 2), there(2).squeeze(0)];
      const [baked, read] = graph.capture(() => [input.mul(number), input.mul(far)]);
      number.fill_(7);
      far.fill_(7);
      graph.replay();
      expect([baked.toNumbers(), read.toNumbers()]).toEqual([
        [2, 4],
        [7, 14],
      ]);
    });
  });

  it("hold a forward and a backward pass and an update in place", () => {
    const steps = (graphed: boolean): number[] =>
      scope(() => {
        using graph = new DeviceGraph(device);
        const [weight, input] = [there(1, 2).requiresGrad_(), there(0.5, 0.25)];
        const step = () => {
          const loss = weight.mul(input).square().sum();
          const [gradient] = grad([loss], [weight]);
          weight.detach().sub_(gradient!, { alpha: 0.1 });
        };
        if (graphed) graph.capture(step);
        for (let i = 1; i <= 3; i++) {
          input.copy_(tensor([i, 1 / i]));
          if (graphed) graph.replay();
          else scope(step);
        }
        return weight.detach().toNumbers();
      });
    expect(steps(true)).toEqual(steps(false));
  });

  it("copy from pinned memory what lies there at the replay, and draw anew", () => {
    scope(() => {
      using graph = new DeviceGraph(device);
      const source = pinned(tensor([1, 2]), device);
      const target = zeros([2], { device });
      const drawn = graph.capture(() => {
        copyAsync_(target, source);
        return randn([4], { device });
      });
      source.copy_(tensor([8, 9]));
      graph.replay();
      expect(target.toNumbers()).toEqual([8, 9]);
      const first = drawn.toNumbers();
      graph.replay();
      expect(drawn.toNumbers()).not.toEqual(first);
    });
  });

  it("are one launch and no wait", () => {
    scope(() => {
      using graph = new DeviceGraph(device);
      const input = there(1, 2);
      graph.capture(() => inferenceMode(() => input.mul(2).add(1).exp()));
      simulated.resetWaits();
      const before = simulated.launches();
      graph.replay();
      expect([simulated.launches() - before, simulated.waits()]).toEqual([1, 0]);
    });
  });

  const forbidden: Record<string, (x: Tensor) => unknown> = {
    "item()": (x) => x.sum().item(),
    "toArray()": (x) => x.toArray(),
    "nonzero()": (x) => x.nonzero(),
    "a copy from ordinary memory": (x) => x.copy_(tensor([1, 2])),
    "a mask as an index": (x) => x.index([x.gt(0)]),
    "pinned memory made on the way": (x) => copyAsync_(x, pinned(tensor([1, 2]), device)),
    "a generator that the graph does not know": (x) => x.normal_(0, 1, { generator: new Generator(device) }),
  };
  it.each(Object.keys(forbidden))("refuse %s, and everything works after", (name) => {
    scope(() => {
      using graph = new DeviceGraph(device);
      const input = there(1, 2);
      expect(() => graph.capture(() => forbidden[name]!(input))).toThrow(TorchError);
      expect(graph.captured).toBe(false);
      expect(input.add(1).toNumbers()).toEqual([2, 3]);
      const output = graph.capture(() => input.add(1));
      graph.replay();
      expect(output.toNumbers()).toEqual([2, 3]);
    });
  });

  it("notice an input that was freed", () => {
    scope(() => {
      using graph = new DeviceGraph(device);
      const input = there(1, 2);
      graph.capture(() => input.add(1));
      input.dispose();
      expect(() => graph.replay()).toThrow(/memory that was freed: an input of aten::add/);
    });
  });

  it("keep their memory until they are freed", () => {
    scope(() => {
      const input = there(1, 2);
      const graph = new DeviceGraph(device);
      const before = memoryStats(device).reservedBytes;
      scope(
        () =>
          void graph.capture(() =>
            input.add(
              empty([1 << 16], { device })
                .fill_(1)
                .sum(),
            ),
          ),
      );
      expect(memoryStats(device).reservedBytes - before).toBeGreaterThan(1 << 18);
      graph.replay();
      graph.dispose();
    });
  });
});
