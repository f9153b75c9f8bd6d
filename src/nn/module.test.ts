import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import {
  CheckpointError,
  DisposedTensorError,
  Generator,
  scope,
  tensorCount,
  zeros,
} from "../torch/index.ts";
import { Conv2d } from "./conv2d.ts";
import { Embedding } from "./embedding.ts";
import { GroupNorm } from "./group-norm.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { buildFromTensors, ParamStore } from "./param-store.ts";

class Pair extends Module {
  readonly first: Linear;
  readonly norm: GroupNorm;
  constructor(vs: ParamStore) {
    super(vs);
    this.first = new Linear(vs.at("net", 0), 3, 4);
    this.norm = new GroupNorm(vs.at("norm"), 2, 4);
  }
}
const pair = (seed = 0) => new Pair(ParamStore.seeded({ seed }));
const KEYS = ["net.0.weight", "net.0.bias", "norm.weight", "norm.bias"];
const values = (module: Module) => [...module.stateDict().values()].map((value) => value.toNumbers());

describe("Module", () => {
  it("lists parameters by checkpoint key, relative to the module asked", () => {
    using model = pair();
    expect([...model.namedParameters()].map(([key]) => key)).toEqual(KEYS);
    expect([...model.first.namedParameters()].map(([key]) => key)).toEqual(["weight", "bias"]);
    expect([...model.namedModules()].map(([path]) => path)).toEqual(["", "net.0", "norm"]);
    expect(model.parameterCount()).toBe(3 * 4 + 4 + 4 + 4);
  });

  it("copies a state in, and refuses one that does not fit as a whole", () => {
    using a = pair(0);
    using b = pair(1);
    expect(values(a)).not.toEqual(values(b));
    a.loadStateDict(b.stateDict());
    expect(values(a)).toEqual(values(b));
    scope(() => {
      const state = new Map([...b.stateDict()].slice(1));
      state.set("norm.bias", zeros([5]));
      state.set("extra", zeros([1]));
      const load = () => a.loadStateDict(state);
      expect(load).toThrow(CheckpointError);
      expect(load).toThrow(
        /1 missing[^]*net\.0\.weight[^]*1 unexpected[^]*extra[^]*norm\.bias: \[5\].*\[4\]/,
      );
    });
    expect(values(a)).toEqual(values(b));
  });

  it("switches gradients, training, dtype", () => {
    using model = pair();
    expect(model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    model.requiresGrad_(false);
    expect(model.parameters().some(({ requiresGrad }) => requiresGrad)).toBe(false);
    model.train();
    expect(model.norm.training).toBe(true);
    model.eval();
    expect(model.norm.training).toBe(false);
    const before = values(model);
    const count = settledTensorCount();
    model.to({ dtype: "float64" });
    expect(model.parameters().map(({ dtype }) => dtype)).toEqual(KEYS.map(() => "float64"));
    expect(values(model)).toEqual(before);
    expect(tensorCount()).toBe(count);
  });

  it("releases everything once, and says so when it is used after", () => {
    const count = settledTensorCount();
    const model = pair();
    scope(() => {
      model.first
        .forward(zeros([1, 3]))
        .sum(null)
        .backward();
      model.zeroGrad();
    });
    expect(model.first.weight.value.grad).toBeUndefined();
    model[Symbol.dispose]();
    expect(tensorCount()).toBe(count);
    expect(() => model.parameters()).toThrow(DisposedTensorError);
    expect(() => model.parameters()).toThrow(/net\.0\.weight/);
  });
});

describe("ParamStore", () => {
  it("draws torch's default values from the same seed", () => {
    const golden = nnGolden("init");
    const store = () => ParamStore.seeded({ generator: new Generator().manualSeed(3) });
    const layers = {
      linear: new Linear(store(), 6, 3),
      conv2d: new Conv2d(store(), 2, 4),
      embedding: new Embedding(store(), 5, 4),
    };
    for (const [name, layer] of Object.entries(layers)) {
      for (const [key, value] of (layer as Module).namedParameters()) {
        expect(relativeError(value, golden.get(`${name}.${key}`)!)).toBeLessThan(1e-6);
      }
    }
  });

  it("names all keys that do not fit when a model is built from tensors, and leaves nothing allocated", () => {
    using model = pair();
    const state = model.stateDict();
    state.delete("norm.weight");
    scope(() => {
      state.set("net.0.bias", zeros([7]));
      state.set("old", zeros([1]));
      const count = settledTensorCount();
      const build = () => buildFromTensors(state, (vs) => new Pair(vs), { copy: true });
      expect(build).toThrow(/1 missing[^]*norm\.weight[^]*1 unexpected[^]*old[^]*net\.0\.bias: \[7\]/);
      expect(tensorCount()).toBe(count);
    });
  });

  it("takes tensors as they are, or copies of them", () => {
    using model = pair();
    const taken = buildFromTensors(model.stateDict(), (vs) => new Pair(vs));
    taken.parameters().forEach((value, i) => expect(value).toBe(model.parameters()[i]));
    using copied = buildFromTensors(model.stateDict(), (vs) => new Pair(vs), { copy: true });
    model.first.weight.value.requiresGrad_(false).fill_(0);
    expect(copied.first.weight.value.toNumbers().every((value) => value !== 0)).toBe(true);
  });

  it("knows shapes without memory", () => {
    using model = new Pair(ParamStore.shapesOnly());
    expect(model.parameterCount()).toBe(24);
    expect(model.first.weight.shape).toEqual([4, 3]);
    expect(model.parameters()[0]!.device).toBe("meta");
  });
});
