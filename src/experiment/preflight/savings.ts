// Which options lower the memory of a training, and by how much.
import type { OutOfMemoryError } from "../../torch/index.ts";
import { bytesText } from "../disk-full.ts";
import { tellShortage } from "../memory-shortage.ts";
import { memoryEstimate, type TrainingMemory } from "./memory.ts";

export interface Saving {
  /** What is to be set. */
  readonly change: string;
  readonly bytes: number;
}

/** Parameters of adapters of the usual rank, as a share of those of the network that they are in. */
const ADAPTERS = 0.01;
/** Less than this share of the whole is not worth telling. */
const LEAST_SHARE = 0.01;

/** Each option by itself, the largest saving first, by the estimate of `memoryEstimate`. */
export function memorySavings(
  given: TrainingMemory,
  { accumulation }: { readonly accumulation: number },
): Saving[] {
  const { batchSize, precision, ema, gradientCheckpointing = false, frozen = 0, adapted = 0 } = given;
  const { total } = memoryEstimate(given);
  // The largest smaller batch that makes the same step.
  const parts = [2, 3, 5, batchSize].find((divisor) => batchSize % divisor === 0) ?? 1;
  const smaller = batchSize / parts;
  const options: readonly [boolean, string, Partial<TrainingMemory>][] = [
    [
      parts > 1,
      `batchSize ${smaller} with accumulation ${accumulation * parts} (the same images per step)`,
      { batchSize: smaller },
    ],
    [!gradientCheckpointing, "gradientCheckpointing", { gradientCheckpointing: true }],
    [precision === "float32", "precision bfloat16", { precision: "bfloat16" }],
    [ema, "ema 0", { ema: false }],
    [
      frozen > 0 && adapted === 0,
      "adapters in place of the network (module lora)",
      { trained: ADAPTERS * frozen, adapted: frozen },
    ],
  ];
  return options
    .filter(([applies]) => applies)
    .map(([, change, other]) => ({ change, bytes: total - memoryEstimate({ ...given, ...other }).total }))
    .filter(({ bytes }) => bytes > LEAST_SHARE * total)
    .sort((a, b) => b.bytes - a.bytes);
}

const listed = (savings: readonly Saving[]): string =>
  savings.length === 0
    ? "None of the training's options would take less"
    : `By the estimate, less is taken by ${savings.map(({ change, bytes }) => `${change}: ${bytesText(bytes)} less`).join("; ")}`;

/** The warning before a training that needs `missing` bytes more than there are. */
export const shortageText = (total: number, missing: number, savings: readonly Saving[]): string =>
  `This training may need ${bytesText(total)} of memory, ${bytesText(missing)} more than there is. ` +
  `${listed(savings)}.`;

/** Adds to the message of a training what was asked for, what there was, and what would lower it. */
export const explainShortage = (error: OutOfMemoryError, savings: readonly Saving[]): OutOfMemoryError =>
  tellShortage(
    error,
    "The training",
    `${listed(savings)}. A training with other settings begins anew (--force).`,
  );
