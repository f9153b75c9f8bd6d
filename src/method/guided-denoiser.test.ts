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

  it("guides from a timestep on: by each sample's, by the one that the caller knows, or everywhere", () => {
    const both = tensor([
      [1, 2],
      [3, 4],
    ]);
    const guided = new GuidedDenoiser(base, module, { form: "residual", strength: 1, from: 10 });
    const at = (timesteps: number[], known?: number, denoiser: Denoiser = guided) =>
      scope(() =>
        denoiser
          .forward(both.view([2, 2, 1, 1]), tensor(timesteps, { dtype: "int64" }), both, { timestep: known })
          .toNumbers(),
      );
    expect(at([9, 10])).toEqual([2, 4, 15, 20]);
    expect(at([3, 4])).toEqual([2, 4, 6, 8]);
    expect(at([10, 11])).toEqual([5, 10, 15, 20]);
    // What the caller knows is not looked up.
    expect(at([0, 0], 10)).toEqual([5, 10, 15, 20]);
    expect(at([99, 99], 9)).toEqual([2, 4, 6, 8]);
    expect(at([0, 99], undefined, guided.everywhere())).toEqual([5, 10, 15, 20]);
  });

  it("names all that a recorded graph depends on", () => {
    using model = new Tiny(Store.seeded({ seed: 1 }));
    using network = new Tiny(Store.seeded({ seed: 2 }));
    const form = { form: "blend", ratio: 0.5, from: 10 } as const;
    const guided = new GuidedDenoiser(model, { kind: "network", network }, form);
    const key = guided.graphKey(10)!;
    for (const own of [...model.parameters(), ...network.parameters()]) expect(key).toContain(own);
    expect(guided.graphKey(11)).toEqual(key);
    expect(guided.graphKey(9)).not.toEqual(key);
    expect(guided.graphKey()).toBeUndefined();
    expect(new GuidedDenoiser(base, module, form).graphKey(10)).toBeUndefined();
    // At all timesteps there is nothing to know.
    const everywhere = new GuidedDenoiser(model, { kind: "network", network }, { ...form, from: 0 });
    expect(everywhere.graphKey()).toEqual(everywhere.graphKey(5));
    expect(everywhere.graphKey()).toBeDefined();
  });
});
