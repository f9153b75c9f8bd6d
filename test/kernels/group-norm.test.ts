// The arithmetic of the CUDA kernels, run on the processor, against libtorch's group_norm and silu in float64.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DType, Generator, groupNorm, ones, randn, scope, type Tensor } from "../../src/torch/index.ts";
import { buildKernelHost, type Case, type KernelHost, ORDERS, type Result } from "./on-processor.ts";

let host: KernelHost;
beforeAll(async () => {
  host = await buildKernelHost();
}, 120_000);
afterAll(() => host?.remove());

interface Given {
  readonly shape: readonly [images: number, channels: number, height: number, width: number];
  readonly groups: number;
  readonly dtype?: DType;
  readonly weightDtype?: DType;
  readonly silu?: boolean;
  readonly aligned?: boolean;
  readonly multiprocessors?: number;
  readonly order?: (typeof ORDERS)[number];
  /** Added to x, whose standard deviation is 1. */
  readonly offset?: number;
  readonly x?: (random: Tensor) => Tensor;
}

const name = ({ shape, groups, dtype = "float32", weightDtype = "float32", ...more }: Given): string =>
  `${dtype} [${shape.join(", ")}] in ${groups} groups, weights ${weightDtype} ${JSON.stringify(more)}`;

/** The case with random numbers of a fixed seed. */
function caseOf(given: Given, seed = 3): Case {
  const { shape, groups, dtype = "float32", weightDtype = "float32", offset = 0 } = given;
  const generator = new Generator().manualSeed(seed);
  const draw = (size: readonly number[]) => randn(size, { generator });
  const x = draw(shape).add(offset);
  return {
    x: (given.x?.(x) ?? x).to(dtype),
    dy: draw(shape).to(dtype),
    weight: draw([shape[1]]).mul(0.5).add(1).to(weightDtype),
    bias: draw([shape[1]]).mul(0.5).to(weightDtype),
    groups,
    silu: given.silu ?? true,
    eps: 1e-5,
    aligned: given.aligned ?? true,
    multiprocessors: given.multiprocessors ?? 2,
    order: given.order ?? "up",
  };
}

type Key = Exclude<keyof Result, "small">;
const KEYS: readonly Key[] = ["y", "mean", "rstd", "dx", "dweight", "dbias"];

/** What libtorch gives in float64 for the case's rounded inputs. */
function expected({ x, dy, weight, bias, groups, silu, eps }: Case): Record<Key, Float64Array> {
  return scope(() => {
    const leaf = (tensor: Tensor) => tensor.to("float64").requiresGrad_();
    const [input, scale, shift] = [leaf(x), leaf(weight), leaf(bias)];
    const normal = groupNorm(input, groups, scale, shift, eps);
    const y = silu ? normal.silu() : normal;
    y.backward(dy.to("float64"));
    const grouped = input.reshape([x.shape[0]!, groups, -1]);
    const mean = grouped.mean([2]);
    const variance = grouped.sub(mean.unsqueeze(2)).square().mean([2]);
    const numbers = (tensor: Tensor) => tensor.toArray() as Float64Array;
    const lastChannels = (tensor: Tensor) => numbers(tensor.permute([0, 2, 3, 1]));
    return {
      ...{ y: lastChannels(y), mean: numbers(mean), rstd: numbers(variance.add(eps).rsqrt()) },
      ...{ dx: lastChannels(input.grad!), dweight: numbers(scale.grad!), dbias: numbers(shift.grad!) },
    };
  });
}

/** Largest relative error of rounding to the type: half a unit in the last place. */
const ROUNDING: Readonly<Partial<Record<DType, number>>> = {
  float32: 2 ** -24,
  bfloat16: 2 ** -8,
  float16: 2 ** -11,
};

/** Largest error beyond the rounding of each number to `dtype`, in units of the largest number expected. */
function largestError(actual: Float32Array, wanted: Float64Array, dtype: DType): number {
  expect(actual.length).toBe(wanted.length);
  let [error, size] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const exact = Math.abs(wanted[i]!);
    const difference = Math.abs(actual[i]! - wanted[i]!) - ROUNDING[dtype]! * exact;
    error = Number.isNaN(difference) ? Infinity : Math.max(error, difference);
    size = Math.max(size, exact);
  }
  return error / size;
}

function expectClose(given: Given, { sums = 3e-6, values = 3e-6 } = {}): Result {
  return scope(() => {
    const one = caseOf(given);
    const [actual] = host.run([one]) as [Result];
    const wanted = expected(one);
    for (const key of KEYS) {
      const statistic = key === "mean" || key === "rstd";
      const affine = key === "dweight" || key === "dbias";
      const dtype = statistic ? "float32" : affine ? one.weight.dtype : one.x.dtype;
      const error = largestError(actual[key], wanted[key], dtype);
      expect(error, `${name(given)}: ${key}`).toBeLessThan(statistic ? sums : values);
    }
    return actual;
  });
}

/** Images that one kernel does. */
const SMALL: readonly Given[] = [
  { shape: [1, 256, 1, 1], groups: 32 },
  { shape: [2, 40, 8, 8], groups: 4 },
  { shape: [1, 1280, 8, 8], groups: 32 },
  { shape: [2, 2560, 4, 4], groups: 32 },
  { shape: [2, 128, 23, 31], groups: 32 },
  { shape: [3, 6, 5, 7], groups: 2 },
  { shape: [1, 3, 9, 11], groups: 1 },
  { shape: [2, 77, 3, 3], groups: 7 },
  { shape: [1, 64, 4, 4], groups: 64 },
];

/** Chunks of pixels, put together by further kernels; the last three in several slabs of channels. */
const LARGE: readonly Given[] = [
  { shape: [1, 320, 32, 32], groups: 32 },
  { shape: [2, 64, 40, 40], groups: 2 },
  { shape: [1, 8, 128, 128], groups: 2 },
  { shape: [1, 3, 160, 144], groups: 3 },
  { shape: [1, 320, 62, 1], groups: 1, multiprocessors: 132 },
  { shape: [1, 2560, 15, 15], groups: 32 },
  { shape: [1, 430, 22, 22], groups: 2 },
  { shape: [1, 960, 20, 20], groups: 3, multiprocessors: 32 },
];

describe("the group normalisation kernels", () => {
  it.each(SMALL.map((given) => [name(given), given] as const))("compute %s", (_, given) => {
    expect(expectClose(given).small).toEqual([true, true]);
  });

  it.each(LARGE.map((given) => [name(given), given] as const))("compute %s", (_, given) => {
    expect(expectClose(given).small).toEqual([false, false]);
  });

  const types: [DType, DType][] = [
    ["bfloat16", "float32"],
    ["bfloat16", "bfloat16"],
    ["float16", "float32"],
    ["float16", "float16"],
  ];
  it.each(types)(
    "compute %s with weights in %s, 16 bytes and one element at a time",
    (dtype, weightDtype) => {
      for (const aligned of [true, false]) {
        expectClose({ shape: [2, 64, 8, 8], groups: 4, dtype, weightDtype, aligned });
        expectClose({ shape: [2, 64, 40, 40], groups: 2, dtype, weightDtype, aligned });
      }
      expectClose({ shape: [2, 30, 5, 5], groups: 5, dtype, weightDtype });
    },
  );

  it("leave SiLU out where it is not asked for", () => {
    expectClose({ shape: [2, 64, 8, 8], groups: 4, silu: false });
    expectClose({ shape: [1, 320, 32, 32], groups: 32, silu: false });
    expectClose({ shape: [2, 64, 40, 40], groups: 2, dtype: "bfloat16", silu: false });
  });

  it("keep their precision where the mean is a thousand times the deviation", () => {
    // E[x^2] - E[x]^2 in float32 would be wrong by a tenth and more here.
    for (const shape of [
      [2, 64, 8, 8],
      [1, 320, 32, 32],
    ] as const) {
      expectClose({ shape, groups: 32, offset: 1000 }, { sums: 1e-5, values: 3e-4 });
    }
  });

  it("keep it where one pixel, the first, lies far from all others", () => {
    const x = (random: Tensor) => {
      random.narrow(2, 0, 1).narrow(3, 0, 1).fill_(3000);
      return random;
    };
    for (const shape of [
      [2, 64, 8, 8],
      [1, 320, 32, 32],
    ] as const) {
      expectClose({ shape, groups: 32, x }, { sums: 1e-5, values: 1e-5 });
    }
  });

  it("take constant images and gradients of zero", () => {
    scope(() => {
      const one = caseOf({ shape: [1, 32, 8, 8], groups: 4, x: (x) => ones(x.shape).mul(7) });
      const [{ mean, rstd, y }] = host.run([{ ...one, dy: one.dy.mul(0) }]) as [Result];
      expect(new Set(mean)).toEqual(new Set([7]));
      for (const value of rstd) expect(value).toBeCloseTo(1 / Math.sqrt(1e-5), 3);
      const bias = one.bias.toArray();
      for (let i = 0; i < y.length; i++) {
        const b = Number(bias[i % 32]);
        expect(y[i]).toBeCloseTo(b / (1 + Math.exp(-b)), 6);
      }
    });
  });

  it("let what is not a number through instead of hiding it", () => {
    scope(() => {
      const x = (random: Tensor) => {
        random.narrow(0, 0, 1).narrow(1, 0, 1).narrow(2, 3, 1).narrow(3, 3, 1).fill_(NaN);
        return random;
      };
      for (const shape of [
        [2, 64, 8, 8],
        [2, 64, 64, 64],
      ] as const) {
        const [{ y, mean }] = host.run([caseOf({ shape, groups: 4, x })]) as [Result];
        expect([...mean].map(Number.isNaN)).toEqual([true, ...Array<boolean>(7).fill(false)]);
        const bad = y.reduce((count, value) => count + Number(Number.isNaN(value)), 0);
        expect(bad).toBe((shape[1] / 4) * shape[2] * shape[3]);
      }
    });
  });

  it("give the same bits however a block's threads and blocks are ordered", () => {
    const shapes: Given[] = [
      { shape: [2, 64, 8, 8], groups: 4 },
      { shape: [1, 320, 32, 32], groups: 32, dtype: "bfloat16" },
      { shape: [2, 30, 40, 40], groups: 1 },
    ];
    scope(() => {
      for (const given of shapes) {
        const [up, ...others] = host.run(ORDERS.map((order) => caseOf({ ...given, order })));
        for (const other of others) {
          for (const key of KEYS)
            expect(Buffer.from(other[key].buffer).equals(Buffer.from(up![key].buffer)), key).toBe(true);
        }
      }
    });
  });

  it("are planned soundly for every shape", () => {
    const [small, large] = host.checkPlans();
    expect(Math.min(small, large)).toBeGreaterThan(1000);
  });
});
