// libtorch in TypeScript: tensors, operators, scopes, autograd, random generators.
export * from "./accelerator.ts";
export * from "./atomic-file.ts";
export {
  autocast,
  type AutocastOptions,
  autocastOptions,
  enableGrad,
  grad,
  gradEnabled,
  inferenceMode,
  noGrad,
} from "./autograd.ts";
export type { TensorLike } from "./bridge.ts";
export { arange } from "./creation.ts";
export { isHost, sameDevice } from "./device.ts";
export * from "./dtype.ts";
export * from "./errors.ts";
export * from "./graphs.ts";
export { fusedGroupNorm, kernelProblem, kernelsInUse } from "./kernels.ts";
export * from "./ops.generated.ts";
export * from "./pinned.ts";
export * from "./precision.ts";
export { Generator, manualSeed } from "./random.ts";
export { keep, scope } from "./scope.ts";
export * from "./streams.ts";
export * from "./system.ts";
export { isChannelsLast, type NestedNumbers, Tensor, tensor } from "./tensor.ts";
