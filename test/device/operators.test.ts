// The simulated device computes what the CPU computes, with the same strides, forward and backward.
import { describe, expect, it } from "vitest";
import {
  autocast,
  avgPool2d,
  cat,
  cdist,
  conv2d,
  crossEntropyLoss,
  embedding,
  foreachNorm,
  full,
  fusedAdamw_,
  Generator,
  grad,
  groupNorm,
  inferenceMode,
  isChannelsLast,
  layerNorm,
  linalgEigh,
  linalgSvdvals,
  linear,
  maxPool2d,
  mseLoss,
  noGrad,
  ones,
  pad,
  randn,
  randperm,
  scaledDotProductAttention,
  scope,
  stack,
  type Tensor,
  tensor,
  upsampleBicubic2dAa,
  upsampleNearest2d,
  where,
  zeros,
} from "../../src/torch/index.ts";
import { simulatedDevice } from "../simulated-device.ts";

const { device } = simulatedDevice();

const draw = (shape: readonly number[], seed = 1): Tensor =>
  randn(shape, { generator: new Generator().manualSeed(seed) });

const image = (seed = 1, channels = 8): Tensor =>
  draw([2, channels, 6, 6], seed).contiguous({ memoryFormat: "channels_last" });

const integers = (...values: number[]): Tensor => tensor(values, { dtype: "int64" });

type Case = readonly [name: string, inputs: () => Tensor[], fn: (...xs: Tensor[]) => Tensor | Tensor[]];

const CASES: readonly Case[] = [
  ["arithmetic", () => [draw([3, 4]), draw([4], 2)], (a, b) => a.mul(b).add(2).div(3).pow(2)],
  [
    "broadcast into a view",
    () => [draw([3, 4])],
    (a) => a.transpose(0, 1).slice(0, 1, 3).add(a.select(1, 0)),
  ],
  ["convolution", () => [image(), draw([4, 8, 3, 3], 2), draw([4], 3)], (x, w, b) => conv2d(x, w, b, 1, 1)],
  ["strided convolution", () => [image(), draw([4, 8, 3, 3], 2)], (x, w) => conv2d(x, w, null, 2)],
  [
    "group norm",
    () => [image().contiguous(), draw([8], 2), draw([8], 3)],
    (x, w, b) => groupNorm(x, 2, w, b),
  ],
  ["layer norm", () => [draw([3, 5, 8]), draw([8], 2), draw([8], 3)], (x, w, b) => layerNorm(x, [8], w, b)],
  ["linear", () => [draw([3, 5, 8]), draw([4, 8], 2), draw([4], 3)], (x, w, b) => linear(x, w, b)],
  ["matmul of a batch", () => [draw([2, 3, 4]), draw([2, 4, 3], 2)], (a, b) => a.matmul(b)],
  [
    "attention",
    () => [draw([2, 2, 16, 8]), draw([2, 2, 5, 8], 2), draw([2, 2, 5, 8], 3)],
    (q, k, v) => scaledDotProductAttention(q, k, v),
  ],
  [
    "causal attention",
    () => [1, 2, 3].map((seed) => draw([2, 7, 2, 8], seed).transpose(1, 2)),
    (q, k, v) => scaledDotProductAttention(q, k, v, null, 0, true),
  ],
  ["activations", () => [image()], (x) => [x.silu(), x.gelu(), x.sigmoid(), x.softmax(1), x.tanh(), x.exp()]],
  ["nearest upsampling", () => [image()], (x) => upsampleNearest2d(x, [12, 12])],
  ["bicubic upsampling", () => [image()], (x) => upsampleBicubic2dAa(x, [5, 5], false)],
  ["pooling", () => [image()], (x) => [avgPool2d(x, 2), maxPool2d(x, 3, 2, 1)]],
  [
    "padding and joins",
    () => [image(), image(2)],
    (x, y) => [pad(x, [0, 1, 0, 1]), cat([x, y], 1), stack([x, y])],
  ],
  ["chunks of one result", () => [draw([4, 6])], (x) => x.add(1).chunk(3, 1)],
  [
    "sums",
    () => [image()],
    (x) => [x.sum(), x.mean([2, 3]), x.std(1), x.norm(), x.logsumexp([1]), x.amax(1)],
  ],
  ["losses", () => [image(), image(2)], (x, y) => [mseLoss(x, y), mseLoss(x, y, 0)]],
  ["cross entropy", () => [draw([4, 3])], (x) => crossEntropyLoss(x, integers(0, 1, 2, 1).to(x.device))],
  [
    "rows of a table",
    () => [draw([9, 4])],
    (w) =>
      embedding(
        w,
        tensor(
          [
            [1, 3],
            [8, 1],
          ],
          { dtype: "int64" },
        ).to(w.device),
      ),
  ],
  [
    "gathers",
    () => [draw([4, 3])],
    (x) => [x.index([integers(2, 0, 2).to(x.device)]), x.indexSelect(1, integers(1).to(x.device))],
  ],
  [
    "choices",
    () => [draw([4, 3])],
    (x) => [where(x.gt(0), x, 0), x.maskedFill(x.lt(0), -1), x.clamp(-0.5, 0.5)],
  ],
  ["order", () => [draw([5, 7])], (x) => [...x.sort(1), ...x.topk(3), x.argmax(1), x.cumsum(0), x.median()]],
  ["distances", () => [draw([5, 7]), draw([4, 7], 2)], (x, y) => cdist(x, y)],
];

/** Everything that can be seen of a tensor. */
const facts = (t: Tensor) => ({
  values: [...(t.toArray() as Float32Array)],
  ...{
    dtype: t.dtype,
    shape: t.shape,
    channelsLast: t.ndim === 4 && isChannelsLast(t),
  },
});

function outcome([, inputs, fn]: Case, on: string, dtype: "float32" | "bfloat16") {
  return scope(() => {
    const leaves = inputs().map((t) => t.to({ device: on, dtype }).requiresGrad_());
    const outputs = [fn(...leaves)].flat();
    expect(new Set(outputs.map((t) => t.device))).toEqual(new Set([on]));
    const trainable = outputs.filter((t) => t.requiresGrad);
    const loss = trainable.map((t) => t.to("float32").square().sum()).reduce((a, b) => a.add(b));
    return [...outputs, ...grad([loss], leaves).map((t) => t!)].map(facts);
  });
}

describe("operators of the simulated device", () => {
  it.each(CASES)("%s has the CPU's bits and strides, forward and backward", (...entry) => {
    expect(outcome(entry, device, "float32")).toEqual(outcome(entry, "cpu", "float32"));
  });

  it("has them in bfloat16", () => {
    for (const entry of CASES.filter(([name]) => !["bicubic upsampling", "distances"].includes(name)))
      expect(outcome(entry, device, "bfloat16"), entry[0]).toEqual(outcome(entry, "cpu", "bfloat16"));
  });

  it("draws, decomposes and sums as the CPU does from the same seed", () => {
    const on = (where: string) =>
      scope(() => {
        const generator = new Generator(where).manualSeed(3);
        const drawn = randn([6, 6], { generator, device: where });
        const symmetric = drawn.matmul(drawn.t());
        return [
          drawn,
          randperm(20, { generator, device: where }),
          zeros([3], { device: where }).uniform_(0, 1, { generator }),
          ...linalgEigh(symmetric),
          linalgSvdvals(drawn),
          drawn.cov(),
          drawn.gt(0).nonzero(),
          drawn.maskedSelect(drawn.gt(0)),
          ...foreachNorm([drawn, symmetric]),
        ].map(facts);
      });
    expect(on(device)).toEqual(on("cpu"));
  });

  it("updates weights in place as the CPU does", () => {
    const on = (where: string) =>
      scope(() => {
        const [weight, gradient] = [1, 2].map((seed) => draw([4, 3], seed).to(where));
        const moments = [1, 2].map(() => zeros([4, 3], { device: where }));
        const step = ones([], { device: where });
        const settings = { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01 };
        fusedAdamw_([weight!], [gradient!], [moments[0]!], [moments[1]!], [], [step], {
          ...settings,
          ...{ amsgrad: false, maximize: false },
        });
        weight!.select(0, 1).zero_();
        weight!.add_(gradient!, { alpha: 0.5 }).mul_(2).lerp_(gradient!, 0.1);
        return [weight!, ...moments, step].map(facts);
      });
    expect(on(device)).toEqual(on("cpu"));
  });

  it("works without gradients and in inference mode", () => {
    const work = (): number[] =>
      scope(() => {
        const x = full([2, 2], 2, { device });
        x.select(0, 0).add_(1);
        return x.matmul(x).toNumbers();
      });
    expect(noGrad(work)).toEqual([15, 15, 10, 10]);
    expect(inferenceMode(work)).toEqual([15, 15, 10, 10]);
  });

  it("lowers and keeps precision under autocast as a card does", () => {
    scope(() => {
      const x = image().to(device);
      const weight = draw([8, 8, 1, 1], 2).to(device);
      const dtypes = autocast({ device, dtype: "bfloat16" }, () => {
        const low = conv2d(x, weight);
        return [low, groupNorm(low, 2), low.softmax(1), mseLoss(low, x), low.silu(), low.add(x)].map(
          (t) => t.dtype,
        );
      });
      expect(dtypes).toEqual(["bfloat16", "float32", "float32", "float32", "bfloat16", "float32"]);
    });
  });
});
