// What a model's weights lie like, after everything that makes, moves or copies them.
import { describe, expect, it } from "vitest";
import { settledTensorCount } from "../../test/settled.ts";
import { Generator, isChannelsLast, noGrad, randn, scope, type Tensor, tensorCount } from "../torch/index.ts";
import { Conv2d, Ema, formatFor, formatOf, GroupNorm, Linear, Lora, Module } from "./index.ts";
import { buildFromTensors, ParamStore } from "./index.ts";

class Small extends Module {
  readonly conv: Conv2d;
  readonly pixels: Conv2d;
  readonly norm: GroupNorm;
  readonly linear: Linear;

  constructor(vs: ParamStore) {
    super(vs);
    this.conv = new Conv2d(vs.at("conv"), 4, 6);
    this.pixels = new Conv2d(vs.at("pixels"), 6, 8, { kernelSize: 1 });
    this.norm = new GroupNorm(vs.at("norm"), 2, 8);
    this.linear = new Linear(vs.at("linear"), 8, 3);
  }

  forward(xs: Tensor): Tensor {
    return this.norm.forward(this.pixels.forward(this.conv.forward(xs)));
  }
}

const small = (memoryFormat: "contiguous_format" | "channels_last" = "channels_last") =>
  new Small(ParamStore.seeded({ seed: 1, memoryFormat }));
const input = () => randn([2, 4, 5, 6], { generator: new Generator().manualSeed(7) });
const values = (tensors: Iterable<readonly [string, Tensor]>) =>
  [...tensors].map(([key, value]) => [key, value.toNumbers()]);

describe("channels-last weights", () => {
  it("are for cards", () => {
    expect(["cpu", "meta", "cuda", "cuda:1", "privateuseone:0"].map(formatFor)).toEqual([
      "contiguous_format",
      "contiguous_format",
      "channels_last",
      "channels_last",
      "channels_last",
    ]);
  });

  it("have the same values, and the maps that come from them lie so too", () => {
    using plain = small("contiguous_format");
    using model = small();
    expect([plain.memoryFormat, model.memoryFormat]).toEqual(["contiguous_format", "channels_last"]);
    expect(values(model.namedParameters())).toEqual(values(plain.namedParameters()));
    scope(() => {
      expect(isChannelsLast(plain.forward(input()))).toBe(false);
      expect(isChannelsLast(model.forward(input()))).toBe(true);
    });
  });

  it("come about in place, and go again, without a trace", () => {
    using model = small("contiguous_format");
    model.conv.weight.value.requiresGrad_(false);
    const count = settledTensorCount();
    const before = model.parameters();
    const expected = values(model.namedParameters());
    model.toMemoryFormat_("channels_last");
    expect(model.parameters().map((value) => formatOf(value) === "channels_last")).toEqual([
      true,
      ...[false, false, false, false, false, false, false],
    ]);
    expect(values(model.namedParameters())).toEqual(expected);
    expect(model.parameters().map(({ requiresGrad }) => requiresGrad)).toEqual([
      false,
      ...[true, true, true, true, true, true, true],
    ]);
    // Only what changed was replaced, and a second time nothing is.
    expect(model.parameters().filter((value, i) => value !== before[i])).toHaveLength(1);
    const converted = model.parameters();
    model.toMemoryFormat_("channels_last");
    model.parameters().forEach((value, i) => expect(value).toBe(converted[i]));
    model.toMemoryFormat_("contiguous_format");
    expect(model.memoryFormat).toBe("contiguous_format");
    expect(values(model.namedParameters())).toEqual(expected);
    expect(tensorCount()).toBe(count);
  });

  it("stay in conversions and copies, and change with the device that is named", () => {
    using plain = small("contiguous_format");
    using model = small();
    using copy = buildFromTensors(model.stateDict(), (vs) => new Small(vs), { copy: true });
    expect(copy.memoryFormat).toBe("channels_last");
    using wide = buildFromTensors(model.stateDict(), (vs) => new Small(vs), { dtype: "float64" });
    expect(wide.to({ dtype: "float32" }).memoryFormat).toBe("channels_last");
    using ema = new Ema(model.namedParameters());
    expect(formatOf(ema.stateDict().get("conv.weight")!)).toBe("channels_last");
    model.loadStateDict(plain.stateDict());
    expect(model.memoryFormat).toBe("channels_last");
    using taken = buildFromTensors(plain.stateDict(), (vs) => new Small(vs), {
      device: "cpu",
      memoryFormat: "channels_last",
      copy: true,
    });
    expect(taken.memoryFormat).toBe("channels_last");
    using back = buildFromTensors(model.stateDict(), (vs) => new Small(vs), { device: "cpu", copy: true });
    expect(back.memoryFormat).toBe("contiguous_format");
  });

  it("give gradients that lie as they do", () => {
    using model = small();
    scope(() => model.forward(input()).square().sum(null).backward());
    for (const value of [model.conv.weight.value, model.pixels.weight.value])
      scope(() => expect(isChannelsLast(value.grad!)).toBe(true));
  });
});

describe("adapters on channels-last weights", () => {
  const both = (["contiguous_format", "channels_last"] as const).map((format) => {
    const model = small(format);
    const lora = new Lora(model, { rank: 2 });
    const generator = new Generator().manualSeed(3);
    noGrad(() =>
      scope(() => {
        for (const [key, value] of lora.namedParameters())
          if (key.includes("lora_B")) value.copy_(randn([...value.shape], { generator }));
      }),
    );
    return { model, lora };
  });
  const [plain, last] = both as [(typeof both)[0], (typeof both)[0]];
  const weights = ({ model }: typeof plain) => [model.conv, model.pixels, model.linear];

  it("compose weights that lie as the layer's own, with the same values", () => {
    scope(() =>
      weights(last).forEach(({ adapter }, i) => {
        const composed = adapter!.composedWeight();
        expect(composed.toNumbers()).toEqual(weights(plain)[i]!.adapter!.composedWeight().toNumbers());
        expect(composed.ndim === 2 || isChannelsLast(composed)).toBe(true);
      }),
    );
    expect(values(last.lora.namedParameters())).toEqual(values(plain.lora.namedParameters()));
    const down = last.model.conv.adapter!.down.value;
    expect(formatOf(down)).toBe("channels_last");
  });

  it("have the same gradients, up to rounding", () => {
    const gradients = ({ model, lora }: typeof plain) => {
      scope(() => model.forward(input()).pow(3).sum(null).backward());
      return lora
        .parameters()
        .filter(({ grad }) => grad !== undefined)
        .flatMap((value) => value.grad!.toNumbers());
    };
    const [one, two] = [gradients(plain), gradients(last)];
    expect(two).toHaveLength(one.length);
    expect(one.length).toBeGreaterThan(100);
    const scale = Math.max(...one.map(Math.abs));
    one.forEach((value, i) => expect(Math.abs(two[i]! - value)).toBeLessThan(1e-5 * scale));
  });

  it("merge into them", () => {
    for (const { lora } of both) lora.merge(0.5);
    const merged = (part: typeof plain) => weights(part).map(({ weight }) => weight.value.toNumbers());
    expect(merged(last)).toEqual(merged(plain));
    expect(last.model.memoryFormat).toBe("channels_last");
    for (const { model, lora } of both) {
      lora[Symbol.dispose]();
      model[Symbol.dispose]();
    }
  });
});
