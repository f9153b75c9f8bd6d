// Counts, memory, speed and texts before a training; the check after its first step.
import { describe, expect, it } from "vitest";
import { TINY_UNET } from "../../../test/training-job.ts";
import { settledTensorCount } from "../../../test/settled.ts";
import { UNet2DConditionModel, unetConfig } from "../../models/index.ts";
import { AdamW, Lora } from "../../nn/index.ts";
import { noGrad, OutOfMemoryError, scope, type Tensor, tensor, tensorCount } from "../../torch/index.ts";
import { memoryEstimate, memoryRoom, memoryShortage, memoryText, type TrainingMemory } from "./memory.ts";
import { explainShortage, memorySavings, shortageText } from "./savings.ts";
import {
  checkpointBytes,
  countText,
  parameterCounts,
  preflightText,
  SpeedMeter,
  watchFirstStep,
} from "./index.ts";

describe("parameterCounts", () => {
  it("counts by part what a model has and what of it is trained", () => {
    using model = UNet2DConditionModel.seeded(TINY_UNET, 0);
    model.requiresGrad_(false);
    const weights = model.stateDict();
    weights.get("conv_in.bias")!.requiresGrad_(true);
    weights.get("mid_block.resnets.0.norm1.weight")!.requiresGrad_(true);
    const { total, trainable, parts } = parameterCounts(weights);
    expect([total, trainable]).toEqual([model.parameterCount(), 8 + 16]);
    expect(parts.find(({ part }) => part === "conv_in")).toEqual({
      ...{ part: "conv_in", total: 4 * 8 * 9 + 8, trainable: 8 },
    });
    const names = [
      "conv_in",
      "time_embedding",
      "down_blocks",
      "up_blocks",
      "mid_block",
      "conv_norm_out",
      "conv_out",
    ];
    expect(parts.map(({ part }) => part)).toEqual(names);
    expect(parts.reduce((sum, part) => sum + part.total, 0)).toBe(total);
  });
});

const SETTINGS: TrainingMemory = {
  ...{ unet: unetConfig(TINY_UNET), height: 8, width: 8, textTokens: 5, batchSize: 4 },
  ...{ precision: "float32", trained: 1000, ema: true },
};

describe("memoryEstimate", () => {
  const bytes = (changes: Partial<TrainingMemory>) => {
    const { parts, total } = memoryEstimate({ ...SETTINGS, ...changes });
    return { total, ...Object.fromEntries(parts.map((part) => [part.part, part.bytes])) } as Record<
      string,
      number
    >;
  };

  it("adds up the parts", () => {
    const { total, ...parts } = bytes({ frozen: 500, encoders: 70, adapted: 20, cacheBytes: 1e9 });
    expect(parts).toEqual({
      "trained weights": 4000,
      "frozen weights": 2000,
      "autoencoder and text encoder": 280,
      gradients: 4000,
      "optimizer (two moments)": 8000,
      "averaged weights": 4000,
      "weights with adapters": 80,
      // That of PyTorch's autograd for this network: activations.test.ts.
      activations: 1347712,
      "working memory": 4 * 4 * 8 * 8 * 64,
      "held by the allocator": Math.round(60e6 + 1.1 * 1347712 + 2.6 * 4000 + 1.3 * 80),
      "Node.js and libtorch": 270e6,
      "cached data (mapped)": 1e9,
    });
    expect(total).toBe(Object.values(parts).reduce((sum, value) => sum + value, 0) - 1e9);
  });

  it("halves what half precision halves, and keeps normalisations whole on CUDA", () => {
    const [whole, half, cuda] = [
      bytes({}),
      bytes({ precision: "bfloat16" }),
      bytes({ precision: "float16", onCuda: true }),
    ];
    expect(half["weights in bfloat16"]).toBe(2000);
    expect(half["activations"]! / whole["activations"]!).toBeGreaterThan(0.5);
    expect(half["activations"]! / whole["activations"]!).toBeLessThan(0.53);
    expect(cuda["activations"]).toBeGreaterThan(half["activations"]!);
    expect(cuda["activations"]).toBeLessThan(whole["activations"]!);
    expect(cuda["Node.js and libtorch"]).toBeUndefined();
    // One kernel for both: no float32 copies of the normalisations, and nothing between them and the activations.
    const fused = bytes({ precision: "float16", onCuda: true, fusedNorm: true });
    expect(fused["activations"]).toBeLessThan(half["activations"]!);
  });

  it("keeps, with checkpointing, the results and the largest inside", () => {
    const sd = unetConfig({ block_out_channels: [64, 128, 256, 256], cross_attention_dim: 128 });
    const at = (gradientCheckpointing: boolean) =>
      bytes({ unet: sd, height: 32, width: 32, gradientCheckpointing })["activations"]!;
    expect(at(true) / at(false)).toBeLessThan(0.2);
    // The largest segment, the transformer of the first level alone: 32 maps of 64 x 32 x 32 and the statistics.
    expect(at(true)).toBeGreaterThan(4 * 4 * 32 * 64 * 32 * 32);
  });

  it("says what to do when it does not fit, counting what is taken already", () => {
    const settings = { ...SETTINGS, trained: 1e9 };
    const { total } = memoryEstimate(settings);
    expect(total).toBeGreaterThan(20e9);
    expect(memoryShortage({ parts: [], total }, { available: 21e9, used: 1e9 })).toBe(0);
    const missing = memoryShortage({ parts: [], total }, { available: 8.3e9, used: 2e9 });
    expect(missing).toBeCloseTo(total - 10.3e9, -3);
    expect(shortageText(total, missing, [{ change: "ema 0", bytes: 4e9 }])).toBe(
      "This training may need 21 GB of memory, 10 GB more than there is. By the estimate, less is taken by ema 0: 4.0 GB less.",
    );
    expect(memoryShortage(memoryEstimate(SETTINGS), memoryRoom("cpu"))).toBe(0);
  });

  it("knows what each option saves, the most first", () => {
    const unet = unetConfig({});
    const given = { ...SETTINGS, unet, height: 64, width: 64, trained: 860e6, frozen: 860e6, onCuda: true };
    const savings = memorySavings({ ...given, batchSize: 6 }, { accumulation: 2 });
    const total = (changes: Partial<TrainingMemory>) =>
      memoryEstimate({ ...given, batchSize: 6, ...changes }).total;
    expect(Object.fromEntries(savings.map(({ change, bytes }) => [change, bytes]))).toEqual({
      "batchSize 3 with accumulation 4 (the same images per step)": total({}) - total({ batchSize: 3 }),
      gradientCheckpointing: total({}) - total({ gradientCheckpointing: true }),
      "precision bfloat16": total({}) - total({ precision: "bfloat16" }),
      "ema 0": 4 * 860e6,
      "adapters in place of the network (module lora)": total({}) - total({ trained: 8.6e6, adapted: 860e6 }),
    });
    const bytes = savings.map((saving) => saving.bytes);
    expect(bytes).toEqual([...bytes].sort((a, b) => b - a));
    const spare = { ...given, batchSize: 1, ema: false, frozen: 0 } as const;
    const none = memorySavings(
      { ...spare, precision: "bfloat16", gradientCheckpointing: true },
      { accumulation: 1 },
    );
    expect(none).toEqual([]);
    expect(shortageText(2e9, 1e9, none)).toMatch(/None of the training's options would take less\./);
  });

  it("is explained with what was asked for when it runs out", () => {
    const said =
      "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.10 GiB of which 1.25 GiB is free.";
    const error = explainShortage(new OutOfMemoryError(said), [{ change: "ema 0", bytes: 3.4e9 }]);
    expect(error.message.split("\n")).toEqual([
      "The training does not fit into the memory of cuda:0: 2.7 GB more were asked for, 1.3 GB were free of 85 GB. " +
        "By the estimate, less is taken by ema 0: 3.4 GB less. A training with other settings begins anew (--force).",
      said,
    ]);
  });

  it("is told largest first", () => {
    const lines = memoryText(memoryEstimate({ ...SETTINGS, cacheBytes: 3e9 })).split("\n");
    expect(lines[0]).toBe("Memory, estimated: 333 MB");
    expect(lines[1]).toMatch(/^ {2}cached data \(mapped\) +3\.0 GB$/);
    expect(lines[2]).toMatch(/^ {2}Node\.js and libtorch +270 MB$/);
  });
});

describe("watchFirstStep", () => {
  /** A base with adapters after one step of AdamW on the adapters. */
  function step(meddle: (tensors: Map<string, Tensor>, base: Map<string, Tensor>) => void, lr = 1e-3) {
    using base = UNet2DConditionModel.seeded(TINY_UNET, 0);
    base.requiresGrad_(false);
    using lora = new Lora(base, { rank: 2 });
    const trainable = new Map(lora.namedParameters());
    using optimizer = new AdamW(trainable, { lr, weightDecay: 0 });
    const watch = watchFirstStep({ trainable, frozen: base.stateDict() });
    scope(() => {
      const [sample, states] = [tensor(new Float32Array(64).fill(0.5)), tensor(new Float32Array(24).fill(1))];
      const out = base.forward(sample.view([1, 4, 4, 4]), 3, states.view([1, 3, 8]));
      out.square().sum().backward();
    });
    optimizer.step();
    noGrad(() => scope(() => meddle(trainable, base.stateDict())));
    const moments = [...optimizer.stateDict().keys()].filter((key) => key.startsWith("exp_avg."));
    watch.check(new Set(moments.map((key) => key.slice("exp_avg.".length))));
  }

  it("is content after a good step, though half of the adapters cannot move yet", () => {
    expect(() => step(() => {})).not.toThrow();
  });

  it("names what is wrong", () => {
    const key = "down_blocks.0.resnets.0.norm1.weight";
    // The smallest change of one element in thousands.
    expect(() =>
      step(
        (_, base) =>
          base.get(key)![Symbol.dispose] &&
          base
            .get(key)!
            .select(0, 3)
            .add_(2 ** -23),
      ),
    ).toThrow(`Tensor ${key} is frozen, but changed. The training stops`);
    expect(() => step((own) => own.get("conv_out.lora_B.weight")!.mul_(NaN))).toThrow(
      "Tensor conv_out.lora_B.weight is not finite after the first step.",
    );
    expect(() => step(() => {}, 0)).toThrow(
      /\d+ tensors are to be trained, but none changed: .*lora_A.*, \.\.\./,
    );
  });

  it("names tensors that no gradient has reached", () => {
    using one = tensor([1, 2]);
    using two = tensor([3]);
    const watch = watchFirstStep({ trainable: new Map(Object.entries({ one, two })), frozen: new Map() });
    noGrad(() => scope(() => one.add_(1)));
    expect(() => watch.check(new Set(["one"]))).toThrow("Tensor two is to be trained, but got no gradient.");
    expect(() => watch.check(new Set(["one", "two"]))).not.toThrow();
    expect(() => watch.check()).not.toThrow();
  });

  it("sees one changed element among millions, and a sign", () => {
    using large = tensor(Float32Array.from({ length: 3_000_000 }, (_, i) => Math.sin(i)));
    const frozen = new Map([["large", large]]);
    const changes: ((values: Tensor) => unknown)[] = [
      (values) => values.select(0, 1_500_000).mul_(1 + 2 ** -22),
      (values) => values.select(0, 7).mul_(-1),
    ];
    for (const change of changes) {
      const watch = watchFirstStep({ trainable: new Map(), frozen });
      expect(() => watch.check()).not.toThrow();
      noGrad(() => scope(() => void change(large)));
      expect(() => watch.check()).toThrow("Tensor large is frozen, but changed.");
    }
  });

  it("holds no tensors", () => {
    const before = settledTensorCount();
    expect(() => step(() => {})).not.toThrow();
    expect(tensorCount()).toBe(before);
  });
});

describe("SpeedMeter", () => {
  it("measures the latest steps, without the first one and without pauses", () => {
    let time = 10;
    const meter = new SpeedMeter(() => time);
    const step = (seconds: number, images = 8) => {
      time += seconds;
      meter.step(images);
    };
    expect([meter.stepsPerSecond, meter.imagesPerSecond]).toEqual([0, 0]);
    step(100);
    expect(meter.imagesPerSecond).toBe(0.08);
    for (let i = 0; i < 3; i++) step(0.5);
    expect([meter.steps, meter.expectedSeconds(10)]).toEqual([4, undefined]);
    time += 1000;
    meter.pause();
    step(0.5);
    expect([meter.steps, meter.stepsPerSecond, meter.imagesPerSecond]).toEqual([5, 2, 16]);
    expect(meter.expectedSeconds(10)).toBe(5);
    for (let i = 0; i < 50; i++) step(2, 4);
    expect([meter.stepsPerSecond, meter.imagesPerSecond, meter.expectedSeconds(3)]).toEqual([0.5, 2, 6]);
  });
});

describe("preflightText", () => {
  const facts = {
    networks: {
      unet: {
        ...{ total: 859_520_964, trainable: 0 },
        parts: [
          { part: "down_blocks", total: 859_000_000, trainable: 0 },
          { part: "conv_in", total: 520_964, trainable: 0 },
        ],
      },
      adapters: {
        total: 303_424,
        trainable: 303_424,
        parts: [{ part: "x", total: 303_424, trainable: 303_424 }],
      },
    },
    memory: { parts: [{ part: "activations", bytes: 2e9 }], total: 2e9 },
    ...{ steps: 700, batchSize: 8, accumulation: 4, images: 4000, cacheBytes: 5e8 },
    ...{ keep: 2, checkpointBytes: checkpointBytes(303_424, { ema: true }), freeDiskBytes: 1e12 },
  };

  it("tells parameters, work, memory and disk", () => {
    expect(preflightText(facts)).toBe(
      [
        "Parameters of unet: 860 M, all frozen: down_blocks 859 M, conv_in 521 k",
        "Parameters of adapters: 303 k, all trained",
        "Work: 700 steps of 4 x 8 images, 5.6 times through 4000 images",
        "Memory, estimated: 2.0 GB",
        "  activations                      2.0 GB",
        "Disk: cache 500 MB, checkpoints 2 x 4.9 MB, 1.0 TB free",
      ].join("\n"),
    );
  });

  it("warns of a disk that the checkpoints will fill", () => {
    expect(preflightText({ ...facts, freeDiskBytes: 14e6 })).toContain(
      "The disk may get full: 3 checkpoints at once take 15 MB.",
    );
    expect(preflightText({ ...facts, freeDiskBytes: 15e6 })).not.toContain("may get full");
  });

  it.each([
    [999, "999"],
    [1234, "1.2 k"],
    [859_520_964, "860 M"],
    [2.5e9, "2.5 G"],
  ])("writes %d as %s", (count, text) => expect(countText(count)).toBe(text));
});
