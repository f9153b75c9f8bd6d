// libtorch in TypeScript: tensors, operators, scopes, autograd, random generators.
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
export * from "./dtype.ts";
export * from "./errors.ts";
export * from "./ops.generated.ts";
export { Generator, manualSeed } from "./random.ts";
export { keep, scope } from "./scope.ts";
export * from "./system.ts";
export { type NestedNumbers, Tensor, tensor } from "./tensor.ts";
