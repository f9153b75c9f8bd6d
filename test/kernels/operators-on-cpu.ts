// The operators invdiff::* built for the CPU (device-code-on-cpu.cc), loaded when this file is imported.
import { compileFlags, linkFlags } from "../../scripts/build-addon.mjs";
import { locateLibtorch, PROJECT_ROOT } from "../../scripts/locate-libtorch.mjs";
import { loadLibrary, operatorNames } from "../../src/torch/index.ts";
import { compileOnce } from "./compile-once.ts";

async function build(): Promise<string> {
  const libtorch = locateLibtorch();
  if (libtorch === undefined) throw new Error("the operators need libtorch: run `npm run setup`");
  const quick = compileFlags(PROJECT_ROOT, libtorch).map((flag) => (flag === "-O2" ? "-O1" : flag));
  return compileOnce("operators.so", ["native/kernels/group-norm.cc", "test/kernels/device-code-on-cpu.cc"], {
    flags: [...quick, "-DINVDIFF_KERNEL_DEVICE=CPU"],
    link: linkFlags(libtorch),
    against: libtorch.version,
  });
}

/** False in an addon for CUDA, which has the operators itself: a process can have them once only. */
export const onCpu = !operatorNames().includes("invdiff::group_norm");

if (onCpu) loadLibrary(await build());
