// Preparing long curves for a small chart.

/** A curve for a chart: at most a given number of points, raw and smoothed. */
export interface ThinCurve {
  steps: number[];
  raw: number[];
  smooth: number[];
}

/**
 * Thins a curve to at most `points` points by averaging neighbours (so that no spike decides by chance), and smooths it by
 * a centred moving average over a twentieth of the curve. Entries that are not finite numbers are left out.
 */
export function thinCurve(steps: readonly number[], values: readonly number[], points = 500): ThinCurve {
  const kept = steps
    .map((step, i) => [step, values[i] ?? Number.NaN] as const)
    .filter(([, v]) => Number.isFinite(v));
  const size = Math.max(1, Math.ceil(kept.length / points));
  const thin: ThinCurve = { steps: [], raw: [], smooth: [] };
  for (let start = 0; start < kept.length; start += size) {
    const bin = kept.slice(start, start + size);
    thin.steps.push(bin.at(-1)![0]);
    thin.raw.push(bin.reduce((sum, [, value]) => sum + value, 0) / bin.length);
  }
  const half = Math.max(1, Math.round(thin.raw.length / 40));
  thin.smooth = thin.raw.map((_, i) => {
    // The window shrinks at both ends, evenly, so that the ends are not dragged inwards.
    const reach = Math.min(half, i, thin.raw.length - 1 - i);
    const window = thin.raw.slice(i - reach, i + reach + 1);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
  return thin;
}
