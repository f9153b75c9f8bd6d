// The operators invdiff::* with everything around the kernels: what they take and what they leave to libtorch, working
// memory, autograd, autocast. Built for the CPU, where the kernels run in the shim.
import { describe, expect, it } from "vitest";
import {
  autocast,
  type DType,
  fusedGroupNorm,
  Generator,
  grad,
  groupNorm,
  inferenceMode,
  isChannelsLast,
  noGrad,
  randn,
  scope,
  type Tensor,
  TorchError,
} from "../../src/torch/index.ts";
import { relativeError } from "../tensors.ts";
import { onCpu } from "./operators-on-cpu.ts";

const GROUPS = 4;
const OPTIONS = { eps: 1e-5, silu: true };

interface Leaves {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
}

function draw(shape: readonly number[], seed = 1, dtype: DType = "float32"): Tensor {
  return randn(shape, { generator: new Generator().manualSeed(seed) }).to(dtype);
}

const channelsLast = (xs: Tensor): Tensor => xs.contiguous({ memoryFormat: "channels_last" });

function leaves(shape: readonly number[], dtype: DType = "float32", weightDtype: DType = "float32"): Leaves {
  const channels = [shape[1]!];
  return {
    x: channelsLast(draw(shape, 1, dtype)).requiresGrad_(),
    weight: draw(channels, 2, weightDtype).requiresGrad_(),
    bias: draw(channels, 3, weightDtype).requiresGrad_(),
  };
}

const fused = ({ x, weight, bias }: Leaves, options = OPTIONS): Tensor =>
  fusedGroupNorm(x, GROUPS, weight, bias, options);

/** libtorch's operators on float64 copies of the leaves; gives them with their gradients. */
function reference(given: Leaves, dy: Tensor, silu = true): { leaves: Leaves; y: Tensor } {
  const copy = (tensor: Tensor) => tensor.detach().to("float64").requiresGrad_();
  const own = { x: copy(given.x), weight: copy(given.weight), bias: copy(given.bias) };
  const normal = groupNorm(own.x, GROUPS, own.weight, own.bias, OPTIONS.eps);
  const y = silu ? normal.silu() : normal;
  y.backward(dy.to("float64"));
  return { leaves: own, y };
}

const wide = (tensor: Tensor): Tensor => tensor.detach().to("float64");
const sameBits = (a: Tensor, b: Tensor): boolean =>
  scope(() => a.dtype === b.dtype && Buffer.from(a.toArray().buffer).equals(Buffer.from(b.toArray().buffer)));

const TOLERANCE: Readonly<Partial<Record<DType, number>>> = { float32: 1e-6, bfloat16: 3e-3, float16: 4e-4 };

function expectGradients(given: Leaves, y: Tensor, dy: Tensor, silu = true): void {
  const { leaves: wanted, y: wantedY } = reference(given, dy, silu);
  expect(relativeError(wide(y), wantedY)).toBeLessThan(TOLERANCE[y.dtype]!);
  for (const key of ["x", "weight", "bias"] as const) {
    const tensor = given[key];
    if (!tensor.requiresGrad) continue;
    expect(tensor.grad!.dtype, key).toBe(tensor.dtype);
    const error = relativeError(wide(tensor.grad!), wanted[key].grad!);
    expect(error, key).toBeLessThan(TOLERANCE[tensor.dtype]!);
  }
}

const SMALL = [2, 32, 8, 8] as const;
const LARGE = [1, 64, 64, 64] as const;

describe.skipIf(!onCpu)("invdiff::group_norm", () => {
  const types: [DType, DType][] = [
    ["float32", "float32"],
    ["bfloat16", "float32"],
    ["bfloat16", "bfloat16"],
    ["float16", "float32"],
    ["float16", "float16"],
  ];
  it.each(types)("gives the values and gradients of group_norm and silu: %s, weights %s", (dtype, weights) =>
    scope(() => {
      for (const shape of [SMALL, LARGE]) {
        const given = leaves(shape, dtype, weights);
        const y = fused(given);
        expect(y.dtype).toBe(dtype);
        expect(isChannelsLast(y)).toBe(true);
        const dy = channelsLast(draw(shape, 4, dtype));
        y.backward(dy);
        expect(isChannelsLast(given.x.grad!)).toBe(true);
        expectGradients(given, y, dy);
      }
    }),
  );

  it("leaves SiLU out", () =>
    scope(() => {
      const given = leaves(SMALL);
      const y = fused(given, { ...OPTIONS, silu: false });
      const dy = draw(SMALL, 4);
      y.backward(dy);
      expectGradients(given, y, dy, false);
    }));

  it("takes gradients of any layout, also one number for all", () =>
    scope(() => {
      const given = leaves(SMALL);
      const y = fused(given);
      y.sum().backward();
      expectGradients(given, y, y.detach().mul(0).add(1));
    }));

  it("takes memory that does not begin at 16 bytes", () =>
    scope(() => {
      const [images, channels, height, width] = SMALL;
      const flat = draw([images * channels * height * width + 1]);
      const pixels = flat.narrow(0, 1, flat.numel - 1).reshape([images, height, width, channels]);
      const given = { ...leaves(SMALL), x: pixels.permute([0, 3, 1, 2]).requiresGrad_() };
      expect(isChannelsLast(given.x)).toBe(true);
      const y = fused(given);
      const dy = draw(SMALL, 4);
      y.backward(dy);
      expectGradients(given, y, dy);
    }));

  it.each([
    ["x alone", { weight: false, bias: false }],
    ["the weights alone", { x: false }],
    ["the bias alone", { x: false, weight: false }],
  ])("gives gradients for %s", (_, flags) =>
    scope(() => {
      for (const shape of [SMALL, LARGE]) {
        const given = leaves(shape);
        for (const [key, flag] of Object.entries(flags)) given[key as keyof Leaves].requiresGrad_(flag);
        const y = fused(given);
        const dy = draw(shape, 4);
        y.backward(dy);
        expectGradients(given, y, dy);
        for (const key of Object.keys(flags)) expect(given[key as keyof Leaves].grad).toBeUndefined();
      }
    }),
  );

  it("records nothing without gradients, in either mode", () =>
    scope(() => {
      const given = leaves(SMALL);
      const y = fused(given);
      for (const mode of [noGrad, inferenceMode]) {
        const other = mode(() => fused(given));
        expect(other.requiresGrad).toBe(false);
        expect(sameBits(other, y)).toBe(true);
      }
    }));

  it("keeps the input's dtype under autocast", () =>
    scope(() => {
      for (const dtype of ["float32", "bfloat16"] as const) {
        const given = leaves(SMALL, dtype);
        const y = autocast({ dtype: "bfloat16" }, () => fused(given));
        expect(y.dtype).toBe(dtype);
        expect(sameBits(y, fused(given))).toBe(true);
      }
    }));

  it("leaves to libtorch, to the bit, what the kernels do not take", () =>
    scope(() => {
      const plain = (given: Leaves) =>
        groupNorm(given.x, GROUPS, given.weight, given.bias, OPTIONS.eps).silu();
      const inputs = {
        contiguous: draw(SMALL),
        tokens: draw([2, 32, 50]),
        volume: draw([1, 32, 4, 4, 4]),
        sparsely: channelsLast(draw([2, 32, 8, 16])).narrow(3, 0, 8),
      };
      for (const [kind, x] of Object.entries(inputs)) {
        const [given, other] = [0, 1].map(() => ({ ...leaves(SMALL), x: x.detach().requiresGrad_() }));
        const [y, wanted] = [fused(given!), plain(other!)];
        expect(sameBits(y, wanted), kind).toBe(true);
        y.sum().backward();
        wanted.sum().backward();
        for (const key of ["x", "weight", "bias"] as const)
          expect(sameBits(given![key].grad!, other![key].grad!), `${kind}: ${key}`).toBe(true);
      }
      const double = leaves(SMALL, "float64", "float64");
      expect(sameBits(fused(double), plain(double))).toBe(true);
      // A group of more than 320 channels is too wide for one block.
      const broad = leaves([1, 4 * 324, 2, 2]);
      expect(sameBits(fused(broad), plain(broad))).toBe(true);
    }));

  it("refuses the gradient of a gradient", () =>
    scope(() => {
      const given = leaves(SMALL);
      const [dx] = grad([fused(given).square().sum()], [given.x], { createGraph: true });
      expect(() => dx!.square().sum().backward()).toThrow(TorchError);
      expect(() => dx!.square().sum().backward()).toThrow(/group_norm_backward.*not implemented/s);
    }));

  it("complains, as libtorch does, when a weight was changed before the way back", () =>
    scope(() => {
      const given = leaves(SMALL);
      const y = fused(given);
      noGrad(() => given.weight.add_(1));
      expect(() => y.sum().backward()).toThrow(/modified by an inplace operation/);
    }));
});
