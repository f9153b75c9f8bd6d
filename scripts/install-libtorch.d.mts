// Types of install-libtorch.mjs.
import type { Libtorch } from "./locate-libtorch.mjs";

export declare const PINNED_VERSION: string;
export declare function hasNvidiaGpu(): boolean;
export declare function pipAttempts(options: {
  gpu: boolean;
  platform?: string;
}): { args: string[]; what: string }[];
export declare function isNotOffered(output: string): boolean;
export declare function ensureLibtorch(root: string, note: (text: string) => void): Promise<Libtorch>;
