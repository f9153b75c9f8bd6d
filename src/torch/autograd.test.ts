import { describe, expect, it } from "vitest";

import {
  autocast,
  enableGrad,
  grad,
  inferenceMode,
  keep,
  noGrad,
  scope,
  tensor,
  tensorBytes,
  tensorCount,
  zeros,
} from "./index.ts";

describe("backward", () => {
  it("accumulates into leaves", () =>
    scope(() => {
      const x = tensor([1, 2, 3]).requiresGrad_();
      x.square().sum().backward();
      x.square().sum().backward();
      expect(x.grad!.toNumbers()).toEqual([4, 8, 12]);
      x.grad = undefined;
      expect(x.grad).toBeUndefined();
    }));

  it("takes a gradient for tensors that are no scalars, and can keep the graph", () =>
    scope(() => {
      const x = tensor([1, 2]).requiresGrad_();
      const y = x.mul(3);
      y.backward(tensor([1, 10]), { retainGraph: true });
      y.backward(tensor([1, 10]));
      expect(x.grad!.toNumbers()).toEqual([6, 60]);
      expect(() => y.backward(tensor([1, 1]))).toThrow(/second time/);
    }));
});

describe("grad", () => {
  it("gives higher derivatives and leaves .grad alone", () =>
    scope(() => {
      const x = tensor([2]).requiresGrad_();
      const [first] = grad([x.pow(3)], [x], { gradOutputs: [tensor([1])], createGraph: true });
      const [second] = grad([first!], [x]);
      expect(first!.item()).toBe(12);
      expect(second!.item()).toBe(12);
      expect(x.grad).toBeUndefined();
    }));

  it("marks unused inputs when allowed, and throws when not", () =>
    scope(() => {
      const [x, y] = [tensor([1]).requiresGrad_(), tensor([1]).requiresGrad_()];
      expect(grad([x.mul(2)], [x, y], { allowUnused: true })[1]).toBeUndefined();
      expect(() => grad([x.mul(2)], [y])).toThrow(/not have been used/);
    }));
});

describe("modes", () => {
  it("noGrad, enableGrad and inferenceMode nest and are left on throw", () =>
    scope(() => {
      const x = tensor([1]).requiresGrad_();
      noGrad(() => {
        expect(x.mul(2).requiresGrad).toBe(false);
        enableGrad(() => expect(x.mul(2).requiresGrad).toBe(true));
        expect(x.mul(2).requiresGrad).toBe(false);
      });
      expect(() =>
        inferenceMode(() => {
          expect(x.mul(2).requiresGrad).toBe(false);
          throw new Error("stop");
        }),
      ).toThrow("stop");
      expect(x.mul(2).requiresGrad).toBe(true);
    }));

  it("autocast computes matrix products in the low precision and ends with its region", () =>
    scope(() => {
      const x = tensor([[1.001]]);
      autocast({ dtype: "bfloat16" }, () => {
        expect(x.matmul(x).dtype).toBe("bfloat16");
        autocast({ enabled: false }, () => expect(x.matmul(x).dtype).toBe("float32"));
        expect(x.matmul(x).dtype).toBe("bfloat16");
      });
      expect(x.matmul(x).dtype).toBe("float32");
    }));
});

describe("memory", () => {
  it("counts and bytes are equal after step 2 and step 50 of a training loop", () => {
    const weight = keep(zeros([64, 64]).requiresGrad_());
    const momentum = keep(zeros([64, 64]));
    const step = (i: number): void =>
      scope(() => {
        const x = tensor([i, 1, 2, 3]).unsqueeze(1).expand([4, 64]);
        x.matmul(weight).tanh().sub(1).square().mean().backward();
        momentum.lerp_(weight.grad!, 0.1);
        noGrad(() => weight.sub_(momentum, { alpha: 0.1 }));
        weight.grad = undefined;
      });
    const marks: [number, number][] = [];
    for (let i = 1; i <= 50; i++) {
      step(i);
      if (i === 2 || i === 50) marks.push([tensorCount(), tensorBytes()]);
    }
    expect(marks[1]).toEqual(marks[0]);
    weight.dispose();
    momentum.dispose();
  });
});
