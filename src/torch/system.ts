// The machine as libtorch sees it: threads, devices, versions, live tensors.
import { addon } from "./addon.ts";

/** Live tensors of this thread's environment that are neither released nor collected. */
export const tensorCount = (): number => addon.counts().tensors;

/** Bytes addressed by the live tensors (a view counts in full, although it shares memory). */
export const tensorBytes = (): number => addon.counts().bytes;

export const getNumThreads = (): number => addon.getNumThreads();

export const setNumThreads = (threads: number): void => addon.setNumThreads(threads);

/**
 * Treats denormal floats as zero: CPU training slows down several times when many appear.
 * Call it before the first parallel operator: libtorch's worker threads inherit the setting.
 * Returns false where the processor cannot.
 */
export const setFlushDenormal = (on: boolean): boolean => addon.setFlushDenormal(on);

export const cudaDeviceCount = (): number => addon.cudaDeviceCount();

export const cudaIsAvailable = (): boolean => cudaDeviceCount() > 0;

export const libtorchVersion = (): string => addon.version();

/** libtorch's own description of its build: compiler, BLAS, threading. */
export const showConfig = (): string => addon.showConfig();

/** Every operator the loaded libtorch knows, as "name.overload". */
export const operatorNames = (): string[] => addon.operatorNames();

/**
 * Loads a shared library into the process for good: operators of its own, or an out-of-tree libtorch backend, whose device
 * "privateuseone:0" tensors can then be on. Before the first backward pass: libtorch starts a thread per device then.
 * Throws `TorchError` with the linker's words where it does not load.
 */
export const loadLibrary = (path: string): void => addon.loadLibrary(path);
