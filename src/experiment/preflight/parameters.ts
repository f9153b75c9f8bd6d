// How many parameters a model has, and how many of them are trained, by its top-level parts.

export interface PartCount {
  /** First word of the checkpoint keys: "down_blocks", "mid_block", ... */
  readonly part: string;
  readonly total: number;
  readonly trainable: number;
}

export interface ParameterCounts {
  readonly total: number;
  readonly trainable: number;
  /** In the order of the keys. */
  readonly parts: readonly PartCount[];
}

interface Weight {
  readonly numel: number;
  readonly requiresGrad: boolean;
}

/** Counts the tensors of a model (`model.stateDict()`, or a map of adapters) by whether they require gradients. */
export function parameterCounts(weights: ReadonlyMap<string, Weight>): ParameterCounts {
  const parts = new Map<string, { total: number; trainable: number }>();
  for (const [key, { numel, requiresGrad }] of weights) {
    const part = key.split(".", 1)[0]!;
    const { total, trainable } = parts.get(part) ?? { total: 0, trainable: 0 };
    parts.set(part, { total: total + numel, trainable: trainable + (requiresGrad ? numel : 0) });
  }
  const list = Array.from(parts, ([part, counts]) => ({ part, ...counts }));
  const sum = (of: "total" | "trainable"): number => list.reduce((all, counts) => all + counts[of], 0);
  return { total: sum("total"), trainable: sum("trainable"), parts: list };
}
