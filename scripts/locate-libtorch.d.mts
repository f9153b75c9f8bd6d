// Types of locate-libtorch.mjs.
/** A usable libtorch: `path` has lib/ and include/; `cuda` is null for a CPU build. */
export interface Libtorch {
  path: string;
  version: string;
  cuda: string | null;
  cxx11Abi: boolean;
  source: "LIBTORCH" | "python" | ".libtorch";
}
export declare const MINIMUM_VERSION: string;
export declare const PROJECT_ROOT: string;
export declare class SetupError extends Error {
  constructor(message: string, options?: { exitCode?: number; cause?: unknown });
  readonly exitCode: number;
}
export declare function libraryName(name: string): string;
export declare function versionAtLeast(version: string, minimum: string): boolean;
export declare function usesCxx11Abi(folder: string): boolean;
export declare function inspectLibtorch(folder: string, source: Libtorch["source"]): Libtorch;
export declare function pythonTorchFolder(python?: string): string | undefined;
export declare function locateLibtorch(options?: {
  root?: string;
  env?: Record<string, string | undefined>;
  findPythonTorch?: () => string | undefined;
  note?: (text: string) => void;
}): Libtorch | undefined;
