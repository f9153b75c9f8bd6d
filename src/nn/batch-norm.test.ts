import { describe, expect, it } from "vitest";
import { ownGolden } from "../../test/own-golden.ts";
import { relativeError } from "../../test/tensors.ts";
import { CheckpointError, ones, scope, ShapeError, tensorCount } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { AdamW } from "./adamw.ts";
import { BatchNorm2d } from "./batch-norm.ts";
import { Ema } from "./ema.ts";
import { buildFromTensors, ParamStore } from "./param-store.ts";

const { keys, get } = ownGolden("resnet");
const START = "batch_norm.start.";
const start = () =>
  new Map(keys.filter((key) => key.startsWith(START)).map((key) => [key.slice(START.length), get(key)]));
const build = (given: ReadonlyMap<string, Tensor> = start()) =>
  buildFromTensors(given, (vs) => new BatchNorm2d(vs, 5, { eps: 1e-3, momentum: 0.3 }), { copy: true });

describe("BatchNorm2d", () => {
  it("computes torch's outputs, gradients and running statistics in training and evaluation", () => {
    using norm = build();
    for (let i = 0; i < 3; i++) {
      const golden = (key: string) => get(`batch_norm.${i}.${key}`);
      scope(() => {
        norm.train(i < 2).zeroGrad();
        const xs = golden("x").detach().clone().requiresGrad_();
        const out = norm.forward(xs);
        out.backward(golden("cotangent"));
        expect(relativeError(out, golden("out"))).toBeLessThan(1e-6);
        expect(relativeError(xs.grad!, golden("grad.x"))).toBeLessThan(1e-6);
        for (const [key, value] of norm.namedParameters())
          expect(relativeError(value.grad!, golden(`grad.${key}`))).toBeLessThan(1e-6);
        for (const [key, value] of norm.namedBuffers())
          expect(relativeError(value, golden(key))).toBeLessThan(1e-6);
      });
    }
  });

  it("saves its buffers and trains only weight and bias", () => {
    using norm = new BatchNorm2d(ParamStore.seeded(), 5);
    expect([...norm.namedParameters()].map(([key]) => key)).toEqual(["weight", "bias"]);
    expect([...norm.stateDict().keys()].sort()).toEqual([...start().keys()].sort());
    expect(norm.parameterCount()).toBe(10);
    expect(norm.numBatchesTracked.value.dtype).toBe("int64");
    using ema = new Ema(norm.namedParameters());
    expect([...ema.stateDict().keys()]).toEqual(["weight", "bias"]);
    scope(() => norm.train().forward(get("batch_norm.0.x")).sum().backward());
    using optimizer = new AdamW(norm.namedParameters());
    optimizer.step();
    expect([...optimizer.stateDict().keys()].filter((key) => key.includes("running"))).toEqual([]);
  });

  it("copies buffers in, and keeps them when the file has none to count batches", () => {
    using norm = new BatchNorm2d(ParamStore.seeded(), 5);
    norm.loadStateDict(start());
    expect(norm.runningMean.value.toNumbers()).toEqual(get(`${START}running_mean`).toNumbers());
    const old = start();
    old.delete("num_batches_tracked");
    using older = build(old);
    expect(older.numBatchesTracked.value.item()).toBe(0);
    norm.loadStateDict(old);
    old.delete("running_var");
    expect(() => build(old)).toThrow(/missing keys[^]*running_var/);
    expect(() => norm.loadStateDict(old)).toThrow(/missing keys[^]*running_var/);
  });

  it("refuses a counter that is no whole number and a channel with a single value", () => {
    using one = ones([]);
    const wrong = start().set("num_batches_tracked", one);
    expect(() => build(wrong)).toThrow(CheckpointError);
    expect(() => build(wrong)).toThrow(/num_batches_tracked: float32 .* whole numbers in the model/);
    using norm = new BatchNorm2d(ParamStore.seeded(), 5);
    using single = ones([1, 5, 1, 1]);
    expect(() => norm.train().forward(single)).toThrow(ShapeError);
    using out = norm.eval().forward(single);
    expect(out.toNumbers()[0]).toBeCloseTo(1 / Math.sqrt(1 + 1e-5), 6);
  });

  it("converts its statistics but not its counter, and releases all", () => {
    const before = tensorCount();
    {
      using norm = new BatchNorm2d(ParamStore.seeded(), 5);
      norm.to({ dtype: "float64" });
      expect(Array.from(norm.stateDict().values(), ({ dtype }) => dtype)).toEqual([
        ...Array<string>(4).fill("float64"),
        "int64",
      ]);
    }
    expect(tensorCount()).toBe(before);
  });
});
