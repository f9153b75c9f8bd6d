import { afterEach, describe, expect, it } from "vitest";

import {
  attentionKernels,
  convolutionBenchmark,
  deterministic,
  float32Precision,
  Generator,
  randn,
  reducedPrecisionReduction,
  scaledDotProductAttention,
  scope,
  setAttentionKernels,
  setConvolutionBenchmark,
  setDeterministic,
  setFloat32Precision,
  setReducedPrecisionReduction,
} from "./index.ts";

const all = { flash: true, cudnn: true, memoryEfficient: true, math: true };

afterEach(() => {
  setFloat32Precision("highest");
  setReducedPrecisionReduction(true);
  setDeterministic(false);
  setConvolutionBenchmark(false);
  setAttentionKernels(all);
});

const product = () =>
  scope(() => {
    const generator = new Generator().manualSeed(0);
    return randn([40, 50], { generator })
      .matmul(randn([50, 30], { generator }))
      .toNumbers();
  });

describe("precision switches", () => {
  it.each(["high", "highest", "high"] as const)("float32: %s", (precision) => {
    setFloat32Precision(precision);
    expect(float32Precision()).toBe(precision);
  });

  it("leave the processor's products as they are", () => {
    const exact = product();
    setFloat32Precision("high");
    setReducedPrecisionReduction(false);
    setDeterministic(true);
    expect(product()).toEqual(exact);
  });

  it.each([false, true])("sums in reduced precision: %s", (allowed) => {
    setReducedPrecisionReduction(allowed);
    expect(reducedPrecisionReduction()).toBe(allowed);
  });

  it("deterministic mode fixes cuBLAS' work space and ends the trying out of kernels", () => {
    const before = process.env["CUBLAS_WORKSPACE_CONFIG"];
    setConvolutionBenchmark(true);
    expect([deterministic(), convolutionBenchmark()]).toEqual([false, true]);
    setDeterministic(true);
    expect([deterministic(), convolutionBenchmark()]).toEqual([true, false]);
    expect(process.env["CUBLAS_WORKSPACE_CONFIG"]).toBe(before ?? ":4096:8");
    expect(() => setConvolutionBenchmark(true)).toThrow(/tried out and deterministic at once/);
    setDeterministic(false);
    expect([deterministic(), convolutionBenchmark()]).toEqual([false, false]);
  });
});

describe("attention kernels", () => {
  it("are switched one by one and read back", () => {
    expect(attentionKernels()).toEqual(all);
    setAttentionKernels({ flash: false, cudnn: false });
    expect(attentionKernels()).toEqual({ ...all, flash: false, cudnn: false });
    setAttentionKernels({ flash: true });
    expect(attentionKernels()).toEqual({ ...all, cudnn: false });
  });

  it("agree on what attention is", () =>
    scope(() => {
      const draw = () => randn([2, 4, 33, 16], { generator });
      const generator = new Generator().manualSeed(1);
      const [query, key, value] = [draw(), draw(), draw()];
      const flash = scaledDotProductAttention(query, key, value);
      setAttentionKernels({ flash: false });
      const math = scaledDotProductAttention(query, key, value);
      expect(math.sub(flash).abs().max().item()).toBeLessThan(1e-5);
    }));

  it("cannot all be forbidden", () => {
    const none = { flash: false, cudnn: false, memoryEfficient: false, math: false };
    expect(() => setAttentionKernels(none)).toThrow(/at least one attention kernel/);
    expect(attentionKernels()).toEqual(all);
  });
});
