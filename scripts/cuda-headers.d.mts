// Types of cuda-headers.mjs.
import type { Libtorch } from "./locate-libtorch.mjs";

export interface CudaParts {
  /** Folders to include. */
  folders: string[];
  /** Folders with NVIDIA's libraries from Python's packages. */
  libraries: string[];
  /** Whether the headers of the compiler at run time are among them. */
  nvrtc: boolean;
}
export declare function findCuda(libtorch: Libtorch, env?: Record<string, string | undefined>): CudaParts;
