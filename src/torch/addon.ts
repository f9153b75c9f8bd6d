// Loads the native addon: the only file that does. Paths are relative to the package, in src/ and in dist/ alike.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import type { InvDiffError } from "./errors.ts";
import { DisposedTensorError, isOutOfMemory, OutOfMemoryError, TorchError, UserError } from "./errors.ts";

/** An opaque reference to a native object. */
export type Handle = object & { readonly __handle: unique symbol };

export interface SchemaArgument {
  name: string;
  type: string;
  size?: number;
  keywordOnly: boolean;
  written: boolean;
  default?: string;
}

interface AttentionFlags {
  flash: boolean;
  cudnn: boolean;
  memoryEfficient: boolean;
  math: boolean;
}

interface Addon {
  setErrorFactory(factory: (kind: string, message: string) => Error): void;
  op(name: string, overload: string): number;
  readonly call: (op: number, ...args: unknown[]) => unknown;
  schema(
    name: string,
    overload: string,
  ): { arguments: SchemaArgument[]; returns: SchemaArgument[]; text: string };
  operatorNames(): string[];
  release(tensor: Handle): void;
  sizes(tensor: Handle): number[];
  dtype(tensor: Handle): string;
  device(tensor: Handle): string;
  isContiguous(tensor: Handle): boolean;
  item(tensor: Handle): number | bigint;
  fromBytes(bytes: Uint8Array, dtype: string, shape: readonly number[]): Handle;
  readBytes(tensor: Handle, into: Uint8Array): void;
  withBytes<T>(tensor: Handle, fn: (buffer: ArrayBuffer) => T): T;
  counts(): { tensors: number; bytes: number };
  requiresGrad(tensor: Handle): boolean;
  setRequiresGrad(tensor: Handle, flag: boolean): void;
  isLeaf(tensor: Handle): boolean;
  gradient(tensor: Handle): Handle | undefined;
  setGradient(tensor: Handle, gradient: Handle | undefined): void;
  backward(tensors: Handle[], gradients: (Handle | undefined)[], retainGraph: boolean): void;
  grad(
    outputs: Handle[],
    inputs: Handle[],
    gradOutputs: (Handle | undefined)[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | undefined)[];
  setGradMode(enabled: boolean): boolean;
  pushInferenceMode(): void;
  popInferenceMode(): void;
  setAutocast(device: string, enabled: boolean, dtype?: string): { enabled: boolean; dtype: string };
  nestAutocast(step: 1 | -1): void;
  newGenerator(device: string): Handle;
  defaultGenerator(device: string): Handle;
  seedGenerator(generator: Handle, seed: number | bigint): void;
  generatorState(generator: Handle): Handle;
  setGeneratorState(generator: Handle, state: Handle): void;
  manualSeed(seed: number | bigint): void;
  cudaDeviceCount(): number;
  deviceProperties(device: string): {
    name: string;
    major: number;
    minor: number;
    multiprocessors: number;
    totalBytes: number;
  };
  memoryInfo(device: string): { freeBytes: number; totalBytes: number };
  memoryStats(device: string): {
    allocatedBytes: number;
    peakAllocatedBytes: number;
    reservedBytes: number;
    peakReservedBytes: number;
    retries: number;
    outOfMemories: number;
  };
  resetPeakMemory(device: string): void;
  emptyCache(device: string): void;
  synchronizeDevice(device: string): void;
  currentStream(device: string): Handle;
  newStream(device: string, highPriority: boolean): Handle;
  exchangeStream(stream: Handle): Handle;
  streamDevice(stream: Handle): string;
  synchronizeStream(stream: Handle): void;
  queryStream(stream: Handle): boolean;
  recordStream(tensor: Handle, stream: Handle): void;
  newEvent(device: string, timing: boolean): Handle;
  releaseEvent(event: Handle): void;
  recordEvent(event: Handle, stream: Handle): void;
  blockEvent(event: Handle, stream: Handle): void;
  synchronizeEvent(event: Handle): void;
  queryEvent(event: Handle): boolean;
  elapsedMs(event: Handle, since: Handle): number;
  supportsGraphs(device: string): boolean;
  newGraph(device: string): Handle;
  releaseGraph(graph: Handle): void;
  beginCapture(graph: Handle): void;
  endCapture(graph: Handle): void;
  abandonCapture(graph: Handle): void;
  replayGraph(graph: Handle): void;
  emptyPinned(shape: readonly number[], dtype: string, device: string): Handle;
  isPinned(tensor: Handle): boolean;
  isChannelsLast(tensor: Handle): boolean;
  setAllowTF32(allowed: boolean): void;
  allowTF32(): boolean;
  setReducedPrecisionReduction(allowed: boolean): void;
  reducedPrecisionReduction(): boolean;
  setDeterministic(deterministic: boolean): void;
  deterministic(): boolean;
  setConvolutionBenchmark(benchmark: boolean): void;
  convolutionBenchmark(): boolean;
  setAttentionKernels(kernels: AttentionFlags): void;
  attentionKernels(): AttentionFlags;
  getNumThreads(): number;
  setNumThreads(threads: number): void;
  setFlushDenormal(on: boolean): boolean;
  version(): string;
  showConfig(): string;
  loadLibrary(path: string): void;
}

const errors: Record<string, new (message: string) => InvDiffError> = {
  TorchError,
  DisposedTensorError,
  OutOfMemoryError,
};

function load(): Addon {
  const path = fileURLToPath(new URL("../../build/invdiff.node", import.meta.url));
  if (!existsSync(path))
    throw new UserError("The native addon is not built (build/invdiff.node is missing). Run: npm run setup");
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(
      `The native addon does not load (${reason}). Its libtorch may have moved or changed. Run: npm run setup`,
      { cause },
    );
  }
  addon.setErrorFactory((kind, message) =>
    isOutOfMemory(message) ? new OutOfMemoryError(message) : new (errors[kind] ?? TorchError)(message),
  );
  return addon;
}

export const addon: Addon = load();
