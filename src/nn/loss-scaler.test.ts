import { describe, expect, it } from "vitest";
import { scope, tensor } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { LossScaler } from "./loss-scaler.ts";

const withGradients = (...gradients: number[][]): Tensor[] =>
  gradients.map((values) => {
    const param = tensor(values.map(() => 0)).requiresGrad_();
    param.grad = tensor(values);
    return param;
  });

describe("LossScaler", () => {
  it("follows torch.amp.GradScaler's scale and tracker", () => {
    // GradScaler("cpu", init_scale=1024., growth_factor=3., backoff_factor=.1, growth_interval=3), torch 2.13: state_dict()
    // after each of 16 steps of which the 5th, 9th and 10th have an infinite gradient.
    const expected = [
      ...[
        [1024, 1],
        [1024, 2],
        [3072, 0],
        [3072, 1],
        [307.20001220703125, 0],
        [307.20001220703125, 1],
      ],
      ...[
        [307.20001220703125, 2],
        [921.6000366210938, 0],
        [92.16000366210938, 0],
        [9.2160005569458, 0],
      ],
      ...[
        [9.2160005569458, 1],
        [9.2160005569458, 2],
        [27.64800262451172, 0],
        [27.64800262451172, 1],
      ],
      ...[
        [27.64800262451172, 2],
        [82.94400787353516, 0],
      ],
    ];
    const options = { initScale: 1024, growthFactor: 3, backoffFactor: 0.1, growthInterval: 3 };
    let scaler = new LossScaler(options);
    expected.forEach(([scale, growthTracker], i) => {
      const bad = [4, 8, 9].includes(i);
      const finite = scope(() => scaler.unscale_(withGradients([3, bad ? Infinity : 1, 2], [1])));
      expect(finite).toBe(!bad);
      scaler.update(finite);
      expect(scaler.state()).toEqual({ scale, growthTracker });
      // Interrupted after every step.
      const resumed = new LossScaler(options);
      resumed.restore(scaler.state());
      scaler = resumed;
    });
  });

  it("starts at 65536, and gradients come back as if it were not there", () =>
    scope(() => {
      const scaler = new LossScaler();
      const param = tensor([1.5, -2]).requiresGrad_();
      const loss = scaler.scale(param.square().sum());
      expect(loss.item()).toBe(65536 * 6.25);
      loss.backward();
      const absent = tensor([1]).requiresGrad_();
      expect(scaler.unscale_([param, absent])).toBe(true);
      expect(param.grad!.toNumbers()).toEqual([3, -4]);
      expect(absent.grad).toBeUndefined();
    }));

  it("finds a number that is none in any of several dtypes, and leaves nothing unscaled", () =>
    scope(() => {
      const scaler = new LossScaler({ initScale: 4 });
      for (const bad of [NaN, -Infinity, Infinity]) {
        const params = withGradients([8, 8], [4, bad]);
        const wide = tensor([0], { dtype: "float64" }).requiresGrad_();
        wide.grad = tensor([12], { dtype: "float64" });
        expect(scaler.unscale_([...params, wide])).toBe(false);
        expect(params[0]!.grad!.toNumbers()).toEqual([2, 2]);
        expect(params[1]!.grad!.toNumbers()[0]).toBe(1);
        expect(wide.grad.toNumbers()).toEqual([3]);
      }
    }));

  it("does not grow to infinity", () => {
    const scaler = new LossScaler({ initScale: 2 ** 127, growthInterval: 1 });
    scaler.update(true);
    expect(scaler.state()).toEqual({ scale: 2 ** 127, growthTracker: 0 });
  });
});
