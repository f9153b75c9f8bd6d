// Types of build-addon.mjs.
import type { CudaParts } from "./cuda-headers.mjs";
import type { Libtorch } from "./locate-libtorch.mjs";

export interface BuildPlan {
  objects: { source: string; object: string }[];
  flags: string[];
  link: string[];
  key: string;
  folder: string;
  addon: string;
  stamp: string;
}
interface BuildOptions {
  root?: string;
  libtorch: Libtorch;
  env?: Record<string, string | undefined>;
}
export declare function findCompiler(env?: Record<string, string | undefined>): string;
export declare function cudaOf(
  libtorch: Libtorch,
  env?: Record<string, string | undefined>,
): CudaParts | undefined;
export declare function compileFlags(root: string, libtorch: Libtorch, cuda?: CudaParts): string[];
export declare function linkFlags(libtorch: Libtorch, cuda?: CudaParts): string[];
export declare function planBuild(options: BuildOptions): BuildPlan;
export declare function isBuilt(plan: BuildPlan): boolean;
export declare function buildAddon(
  options: BuildOptions & { force?: boolean; atOnce?: number; note?: (text: string) => void },
): Promise<{ addon: string; compiled: number; fresh: boolean; warnings: string }>;
export declare function recordSetup(options: { root?: string; libtorch: Libtorch; addon: string }): void;
