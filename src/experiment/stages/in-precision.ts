// A frozen network that computes in half precision, its weights and what goes in and comes out in float32.
import type { Denoiser } from "../../pipelines/index.ts";
import { autocast, type DType } from "../../torch/index.ts";

/**
 * The denoiser under automatic mixed precision; itself for float32. The casts are inside of `forward`, so that they are
 * part of a recorded graph.
 */
export function inPrecision(denoiser: Denoiser, dtype: DType, device: string): Denoiser {
  if (dtype === "float32") return denoiser;
  return {
    forward: (sample, ...rest) =>
      autocast({ device, dtype }, () => denoiser.forward(sample, ...rest)).to(sample.dtype),
    graphKey: (timestep) => denoiser.graphKey?.(timestep),
  };
}
