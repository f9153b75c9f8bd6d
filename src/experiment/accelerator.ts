// How a card is used by this process: precision, determinism, what a stage took of its memory.
import type * as Torch from "../torch/index.ts";
import type { AcceleratorConfig } from "./config-accelerator.ts";
import type { ExperimentConfig } from "./config.ts";
import type { Stage } from "./stage.ts";

type Precision = Partial<Pick<AcceleratorConfig, "tf32" | "deterministic">>;

/**
 * Sets how a card computes, for the whole process; the processor's numbers do not change. `exact`: float32 stays float32,
 * whatever is asked for, because the numbers are compared with those of other machines.
 */
export function usePrecision(
  torch: typeof Torch,
  { tf32 = true, deterministic = false }: Precision,
  { exact = false }: { readonly exact?: boolean | undefined } = {},
): void {
  torch.setFloat32Precision(tf32 && !exact ? "high" : "highest");
  torch.setDeterministic(deterministic);
  torch.setConvolutionBenchmark(!deterministic);
}

/** What a run does with its device around each stage. */
export interface StageDevice {
  begin(stage: Stage): void;
  /** Most memory of a card that tensors took since `begin`; undefined on the processor. */
  peakBytes(): number | undefined;
}

export function stageDevice(
  torch: typeof Torch,
  { device, accelerator }: Pick<ExperimentConfig, "device" | "accelerator">,
): StageDevice {
  const isCard = device !== "cpu";
  return {
    begin({ isExact }) {
      usePrecision(torch, accelerator, { exact: isExact });
      if (isCard) torch.resetPeakMemory(device);
    },
    peakBytes: () => (isCard ? torch.memoryStats(device).peakAllocatedBytes : undefined),
  };
}
