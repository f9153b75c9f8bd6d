import { afterEach, describe, expect, it, vi } from "vitest";
import { operatorNames } from "./system.ts";
import { kernelProblem, kernelsInUse } from "./kernels.ts";

afterEach(() => vi.unstubAllEnvs());

describe("the project's CUDA kernels", () => {
  it("are for CUDA devices", () => {
    for (const device of ["cpu", "meta", "privateuseone:0"]) {
      expect(kernelsInUse(device)).toBe(false);
      expect(kernelProblem(device)).toMatch(/for CUDA/);
    }
  });

  it("are switched off by INVDIFF_KERNELS=0", () => {
    vi.stubEnv("INVDIFF_KERNELS", "0");
    expect(kernelsInUse("cuda:0")).toBe(false);
    expect(kernelProblem("cuda:0")).toMatch(/INVDIFF_KERNELS=0/);
  });

  it.skipIf(operatorNames().includes("invdiff::group_norm"))("are missing where they were not built", () => {
    expect(kernelsInUse("cuda:0")).toBe(false);
    expect(kernelProblem("cuda:0")).toMatch(/built without them.*nvrtc/);
  });
});
