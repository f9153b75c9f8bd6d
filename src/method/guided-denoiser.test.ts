import { describe, expect, it } from "vitest";

import { Linear, Lora, Module, type ParamStore, ParamStore as Store } from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import { Generator, randn, scope, type Tensor, tensor } from "../torch/index.ts";
import { GuidedDenoiser } from "./guided-denoiser.ts";

/** eps = scale * z: enough to see how base and module are combined. */
const scaled = (scale: number): Denoiser => ({ forward: (sample) => sample.mul(scale) });

class Tiny extends Module implements Denoiser {
  readonly layer: Linear;
  constructor(vs: ParamStore) {
    super(vs);
    this.layer = new Linear(vs.at("layer"), 4, 4);
  }
  forward(sample: Tensor): Tensor {
    return this.layer.forward(sample);
  }
}

const z = tensor([[1, -2, 3, 4]]);
const t = tensor([1], { dtype: "int64" });
const run = (denoiser: Denoiser) => scope(() => denoiser.forward(z, t, z).toNumbers());

describe("GuidedDenoiser", () => {
  const base = scaled(2);
  const module = { kind: "network", network: scaled(3) } as const;

  it("difference: base + s (phi - base)", () => {
    for (const strength of [0, 0.5, 1, 2])
      expect(run(new GuidedDenoiser(base, module, { form: "difference", strength }))).toEqual(
        z.toNumbers().map((x) => x * (2 + strength)),
      );
  });

  it("residual: base + s G", () =>
    expect(run(new GuidedDenoiser(base, module, { form: "residual", strength: 0.5 }))).toEqual(
      z.toNumbers().map((x) => x * 3.5),
    ));

  it("blend: r delta + (1 - r) base", () =>
    expect(run(new GuidedDenoiser(base, module, { form: "blend", ratio: 0.25 }))).toEqual(
      z.toNumbers().map((x) => x * 2.25),
    ));

  it("with adapters starts as the base exactly, and trains the adapters only", () => {
    using model = new Tiny(Store.seeded({ seed: 1 }));
    model.requiresGrad_(false);
    using lora = new Lora(model, { rank: 2 });
    const before = run(model);
    for (const strength of [1, 0.7]) {
      const guided = new GuidedDenoiser(model, { kind: "lora", lora }, { form: "difference", strength });
      expect(run(guided)).toEqual(before);
      scope(() => guided.forward(z, t, z).square().sum().backward());
      expect(model.layer.weight.value.grad).toBeUndefined();
      // lora_B starts at zero, so only its own gradient is non-zero at first.
      const [down, up] = lora.parameters() as [Tensor, Tensor];
      scope(() => {
        expect(down.grad!.abs().max().item()).toBe(0);
        expect(up.grad!.abs().max().item()).toBeGreaterThan(0);
      });
    }
  });

  it("with adapters at strength s equals base + s (phi - base)", () => {
    using model = new Tiny(Store.seeded({ seed: 1 }));
    using lora = new Lora(model, { rank: 2 });
    scope(() =>
      lora
        .parameters()
        .forEach((p) => p.detach().copy_(randn([...p.shape], { generator: new Generator().manualSeed(3) }))),
    );
    const at = (strength: number) =>
      run(new GuidedDenoiser(model, { kind: "lora", lora }, { form: "difference", strength }));
    const [none, half, full] = [at(0), at(0.5), at(1)] as const;
    none.forEach((value, i) => expect(half[i]).toBeCloseTo((value + full[i]!) / 2, 5));
  });
});
