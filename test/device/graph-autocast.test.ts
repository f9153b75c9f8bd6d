// Autocast keeps the casts of weights for its region; a graph captured inside must make its own.
import { expect, it } from "vitest";
import { autocast, DeviceGraph, eye, full, ones, scope } from "../../src/torch/index.ts";
import { simulatedDevice } from "../simulated-device.ts";

const { device } = simulatedDevice();

it("a graph captured under autocast reads the weights at each replay, and leaves nothing behind", () =>
  scope(() => {
    using graph = new DeviceGraph(device);
    const weight = eye(2, { device }).requiresGrad_();
    const input = ones([1, 2], { device });
    autocast({ device, dtype: "bfloat16" }, () => {
      const work = () => input.matmul(weight);
      expect(work().dtype).toBe("bfloat16");
      const output = graph.capture(work);
      expect(work().toNumbers()).toEqual([1, 1]);
      weight.detach().copy_(full([2, 2], 3).to(device));
      graph.replay();
      expect(output.toNumbers()).toEqual([6, 6]);
    });
  }));
