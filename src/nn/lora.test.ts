import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { ConfigError, Generator, randn, scope, tensorCount } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { Conv2d } from "./conv2d.ts";
import { Linear } from "./linear.ts";
import { Lora, withLora } from "./lora.ts";
import { Module } from "./module.ts";
import { buildFromTensors, ParamStore } from "./param-store.ts";

class Net extends Module {
  readonly conv: Conv2d;
  readonly out: Linear;
  constructor(vs: ParamStore) {
    super(vs);
    this.conv = new Conv2d(vs.at("conv"), 3, 4);
    this.out = new Linear(vs.at("to_out", 0), 4, 2);
  }
  forward(xs: Tensor): Tensor {
    return this.out.forward(this.conv.forward(xs).mean([2, 3]));
  }
}

const input = () => randn([2, 3, 5, 5], { generator: new Generator().manualSeed(1) });
const train = (lora: Lora) => {
  for (const [key, value] of lora.namedParameters())
    if (key.includes("lora_B")) value.requiresGrad_(false).fill_(0.3);
};

describe("Lora", () => {
  it.each(["lora_linear", "lora_conv2d"])("%s: output and gradients of the written-out update", (name) => {
    const golden = nnGolden(name);
    scope(() => {
      const weights = new Map(["weight", "bias"].map((key) => [key, golden.get(key)!]));
      const layer = buildFromTensors(weights, (vs) =>
        name === "lora_linear" ? new Linear(vs, 5, 4) : new Conv2d(vs, 3, 4, { stride: 2 }),
      );
      const lora = new Lora(layer, { rank: 2, alpha: 4 });
      lora.loadStateDict(new Map(["lora_A", "lora_B"].map((key) => [`${key}.weight`, golden.get(key)!])));
      lora.scale = 0.5;
      const xs = golden.get("x")!.requiresGrad_();
      const out = layer.forward(xs);
      out.backward(golden.get("cotangent"));
      expect(relativeError(out, golden.get("out")!)).toBeLessThan(1e-6);
      expect(relativeError(xs.grad!, golden.get("grad.x")!)).toBeLessThan(1e-6);
      for (const [key, value] of lora.namedParameters()) {
        const part = key.split(".")[0]!;
        expect(relativeError(value.grad!, golden.get(`grad.${part}`)!)).toBeLessThan(1e-6);
      }
      lora.merge(0.5);
      expect(relativeError(layer.forward(xs), golden.get("out")!)).toBeLessThan(1e-6);
    });
  });

  it("is the base exactly when new, when off, and after it is detached", () => {
    scope(() => {
      const net = new Net(ParamStore.seeded({ seed: 0 }));
      const xs = input();
      const base = net.forward(xs).toNumbers();
      const lora = new Lora(net, { rank: 2 });
      expect(net.forward(xs).toNumbers()).toEqual(base);
      train(lora);
      expect(net.forward(xs).toNumbers()).not.toEqual(base);
      expect(withLora(lora, 0, () => net.forward(xs)).toNumbers()).toEqual(base);
      expect(lora.scale).toBe(1);
      lora[Symbol.dispose]();
      expect(net.forward(xs).toNumbers()).toEqual(base);
    });
  });

  it("merges into the weights and back", () => {
    scope(() => {
      const net = new Net(ParamStore.seeded({ seed: 0 }));
      const base = net.forward(input());
      const lora = new Lora(net, { rank: 2, alpha: 3 });
      train(lora);
      const adapted = net.forward(input());
      lora.merge();
      expect(relativeError(net.forward(input()), adapted)).toBeLessThan(1e-6);
      expect(() => lora.merge()).toThrow(/merged already/);
      lora.unmerge();
      expect(relativeError(net.forward(input()), adapted)).toBeLessThan(1e-6);
      expect(
        relativeError(
          withLora(lora, 0, () => net.forward(input())),
          base,
        ),
      ).toBeLessThan(1e-6);
    });
  });

  it("has PEFT's keys and diffusers' metadata, and leaves the base's state as it is", () => {
    scope(() => {
      const net = new Net(ParamStore.seeded({ seed: 0 }));
      const keys = [...net.stateDict().keys()];
      const lora = new Lora(net, { rank: 2, alpha: 8, targets: (path) => path.startsWith("to_out") });
      expect([...lora.stateDict({ prefix: "unet" }).keys()]).toEqual([
        "unet.to_out.0.lora_A.weight",
        "unet.to_out.0.lora_B.weight",
      ]);
      expect(JSON.parse(lora.metadata({ prefix: "unet" })["lora_adapter_metadata"]!)).toMatchObject({
        "unet.r": 2,
        "unet.lora_alpha": 8,
        "unet.target_modules": ["to_out.0"],
      });
      expect([...net.stateDict().keys()]).toEqual(keys);
      expect(lora.parameterCount()).toBe(2 * 4 + 2 * 2);
      expect(() => new Lora(net, { rank: 2 })).toThrow(/has a LoRA adapter already/);
      expect(() => new Lora(net, { rank: 0 })).toThrow(ConfigError);
      expect(() => new Lora(net, { rank: 1, targets: () => false })).toThrow(/chose no/);
    });
  });

  it("releases its tensors", () => {
    const net = new Net(ParamStore.seeded({ seed: 0 }));
    const count = settledTensorCount();
    new Lora(net, { rank: 2 })[Symbol.dispose]();
    expect(tensorCount()).toBe(count);
  });
});
