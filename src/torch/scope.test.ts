import { describe, expect, it } from "vitest";
import { settledTensorBytes, settledTensorCount } from "../../test/settled.ts";

import {
  DisposedTensorError,
  keep,
  ones,
  scope,
  tensor,
  tensorBytes,
  tensorCount,
  UserError,
} from "./index.ts";

describe("scope", () => {
  it("releases everything but the returned tree", () => {
    const before = settledTensorCount();
    const result = scope(() => {
      const x = ones([4]);
      x.add(1).mul(2);
      return { list: [x.add(2)], map: new Map([["y", x.mul(3)]]), number: 1 };
    });
    expect(tensorCount()).toBe(before + 2);
    expect(result.list[0]!.toNumbers()).toEqual([3, 3, 3, 3]);
    result.list[0]!.dispose();
    result.map.get("y")!.dispose();
    expect(tensorCount()).toBe(before);
  });

  it("hands a nested scope's result to the outer one", () => {
    const before = settledTensorCount();
    scope(() => expect(scope(() => ones([2]).add(1)).toNumbers()).toEqual([2, 2]));
    expect(tensorCount()).toBe(before);
  });

  it("releases on throw, and what was returned beside a promise", () => {
    const before = settledTensorCount();
    expect(() =>
      scope(() => {
        ones([2]);
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(() => scope(() => Promise.resolve(ones([2])))).toThrow(UserError);
    expect(tensorCount()).toBe(before);
  });

  it("leaves kept tensors to their owner", () => {
    const kept = scope(() => keep(ones([2])));
    let inner = kept;
    scope(() => {
      inner = keep(ones([3]));
    });
    expect(inner.toNumbers()).toEqual([1, 1, 1]);
    kept.dispose();
    inner.dispose();
    expect(() => inner.item()).toThrow(DisposedTensorError);
  });

  it("counts bytes by dtype", () => {
    const before = settledTensorBytes();
    using _x = tensor([1, 2, 3], { dtype: "float64" });
    expect(tensorBytes() - before).toBe(24);
  });
});

describe("without a scope", () => {
  it("the collector frees unreachable tensors inside a synchronous loop [slow]", () => {
    const before = settledTensorBytes();
    for (let i = 0; i < 2000; i++) ones([1 << 18]); // 2 GB in all
    expect(tensorBytes() - before).toBeLessThan(800 << 20);
  });
});
