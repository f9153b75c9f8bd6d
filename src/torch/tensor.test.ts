import { describe, expect, it } from "vitest";

import {
  cat,
  DisposedTensorError,
  ones,
  type DType,
  dtypes,
  full,
  scope,
  ShapeError,
  Tensor,
  tensor,
  TorchError,
} from "./index.ts";

describe("tensor()", () => {
  it.each(Object.keys(dtypes) as DType[])("keeps values through %s", (dtype) =>
    scope(() => {
      const values = dtype === "bool" ? [0, 1, 1] : [0, 1, 64];
      const made = tensor(values, { dtype });
      expect(made.dtype).toBe(dtype);
      expect(made.toNumbers()).toEqual(values);
      expect(made.to("float64").to(dtype).toNumbers()).toEqual(values);
    }),
  );

  it("tells bfloat16 from float16 by what each can hold", () =>
    scope(() => {
      const third = tensor([1 / 3, 70000]);
      // float16: 11 bits of precision, at most 65504; bfloat16: 8 bits, the range of float32.
      expect(third.to("float16").toNumbers()).toEqual([0.333251953125, Infinity]);
      expect(third.to("bfloat16").toNumbers()).toEqual([0.333984375, 70144]);
    }));

  it("keeps 64-bit integers exact", () =>
    scope(() => {
      const big = BigInt64Array.from([2n ** 62n + 1n, -(2n ** 53n) - 1n]);
      expect([...(tensor(big).toArray() as BigInt64Array)]).toEqual([...big]);
    }));

  it("reads nested lists and typed arrays with an offset", () =>
    scope(() => {
      expect(
        tensor([
          [1, 2],
          [3, 4],
          [5, 6],
        ]).shape,
      ).toEqual([3, 2]);
      const window = new Float32Array([9, 1, 2, 3]).subarray(1);
      expect(tensor(window, { shape: [3, 1] }).toNumbers()).toEqual([1, 2, 3]);
    }));

  it("refuses ragged lists and shapes that do not fit", () =>
    scope(() => {
      expect(() => tensor([[1, 2], [3]])).toThrow(ShapeError);
      expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow(/12 bytes, the shape needs 16/);
    }));
});

describe("operators", () => {
  it("follow Python's type promotion for numbers", () =>
    scope(() => {
      const integers = tensor([1, 2], { dtype: "int64" });
      expect(integers.mul(2).dtype).toBe("int64");
      expect(integers.mul(0.5).dtype).toBe("float32");
      expect(tensor([1], { dtype: "bfloat16" }).mul(0.5).dtype).toBe("bfloat16");
    }));

  it("read strided tensors in row-major order", () =>
    scope(() =>
      expect(
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ])
          .t()
          .toNumbers(),
      ).toEqual([1, 4, 2, 5, 3, 6]),
    ));

  it("take keyword arguments, None, lists and dtypes", () =>
    scope(() => {
      const x = tensor([
        [1, 2],
        [3, 4],
      ]);
      expect(x.add(x, { alpha: 3 }).toNumbers()).toEqual([4, 8, 12, 16]);
      expect(x.clamp(null, 2).toNumbers()).toEqual([1, 2, 2, 2]);
      expect(x.sum([0], true, { dtype: "float64" }).dtype).toBe("float64");
      expect(x.maxDim(1).map((part) => part.toNumbers())).toEqual([
        [2, 4],
        [1, 1],
      ]);
      expect(cat(x.chunk(2, 1), 0).toNumbers()).toEqual([1, 3, 2, 4]);
      expect(x.variance([1], { correction: 0 }).toNumbers()).toEqual([0.25, 0.25]);
    }));

  it("in place return the tensor itself", () =>
    scope(() => {
      const x = tensor([1, 2]);
      expect(x.mul_(3)).toBe(x);
      expect(x.toNumbers()).toEqual([3, 6]);
    }));

  it("lend their memory without a copy", () =>
    scope(() => {
      const x = tensor([1, 2], { dtype: "uint8" });
      const kept = x.withBytes((bytes) => {
        expect([...bytes]).toEqual([1, 2]);
        bytes[0] = 7;
        return bytes;
      });
      expect(x.toNumbers()).toEqual([7, 2]);
      expect(kept.length).toBe(0); // detached: a late use reads nothing
    }));
});

describe("errors", () => {
  it("name the operator, the shapes and the dtypes, without a C++ stack", () =>
    scope(() => {
      const failing = () => ones([2, 3]).matmul(ones([4, 5]));
      expect(failing).toThrow(TorchError);
      expect(failing).toThrow(/^matmul\(self=float32\[2, 3\], other=float32\[4, 5\]\): mat1 and mat2 shapes/);
      expect(failing).not.toThrow(/frame #|C\+\+ CapturedTraceback/);
    }));

  it("say what to do when cuda is asked of a CPU build", () => {
    expect(() => full([1], 1, { device: "cuda" })).toThrow(/device 'cuda' was asked for.*use device 'cpu'/s);
  });

  it("name the operator that met a released tensor", () => {
    const x = tensor([1]);
    x.dispose();
    expect(() => x.add(1)).toThrow(DisposedTensorError);
    expect(() => x.add(1)).toThrow(/^add\(self=released Tensor/);
    expect(() => new Tensor(x.handle).item()).toThrow(DisposedTensorError);
  });

  it("refuse wrong argument types", () =>
    scope(() => {
      expect(() => tensor([1]).add("2" as unknown as number)).toThrow(/add\(.*expected a Tensor or a number/);
      expect(() => full([1.5], 1)).toThrow(/expected an integer, got 1.5/);
    }));
});
