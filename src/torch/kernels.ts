// The project's own CUDA kernels (native/kernels), which a build with CUDA and NVRTC registers as operators invdiff::*.
import { addon } from "./addon.ts";
import { call, operatorTable, raw, wrap } from "./bridge.ts";
import type { Device } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

const op = operatorTable(["invdiff::group_norm", "invdiff::kernel_problem"]);

let registered: boolean | undefined;

const areRegistered = (): boolean => (registered ??= addon.operatorNames().includes("invdiff::group_norm"));

const problems = new Map<Device, string>();

/**
 * Why models on `device` do without the project's kernels; undefined where they use them. The first question for a CUDA
 * device compiles and runs a kernel of one line there.
 */
export function kernelProblem(device: Device): string | undefined {
  if (!device.startsWith("cuda")) return "they are for CUDA devices";
  if (process.env["INVDIFF_KERNELS"] === "0") return "switched off by INVDIFF_KERNELS=0";
  let problem = problems.get(device);
  if (problem === undefined) {
    problem = areRegistered()
      ? (call(op(1), device) as string)
      : "this addon was built without them (libtorch without CUDA, or no nvrtc.h where it was built)";
    problems.set(device, problem);
  }
  return problem === "" ? undefined : problem;
}

/** Whether models on `device` use them. */
export const kernelsInUse = (device: Device): boolean =>
  device !== "cpu" && kernelProblem(device) === undefined;

/**
 * Group normalisation of [B, C, ...] and, if asked, SiLU: by one kernel for channels-last float32, float16 and bfloat16,
 * with sums in float32 and the result in the input's dtype and layout; by libtorch's operators for everything else.
 * Only where `kernelsInUse`.
 */
export function fusedGroupNorm(
  xs: Tensor,
  numGroups: number,
  weight: Tensor,
  bias: Tensor,
  { eps, silu }: { eps: number; silu: boolean },
): Tensor {
  return wrap(call(op(0), raw(xs), numGroups, raw(weight), raw(bias), eps, silu));
}
