// Noise schedules as diffusers computes them: every intermediate is rounded to float32, because published
// models were trained with those exact values. Reference: diffusers schedulers/scheduling_ddpm.py.
import type { SchedulerConfig } from "./config.ts";
import { sqrt32 } from "./float32.ts";

export type BetaSchedule = "linear" | "scaled_linear" | "squaredcos_cap_v2";

const f32 = Math.fround;

/** float32 `linspace`, computed from both ends towards the middle as libtorch does. */
function linspace32(start: number, end: number, steps: number): number[] {
  const first = f32(start);
  const last = f32(end);
  const step = f32(f32(last - first) / f32(steps - 1));
  if (steps === 1) return [first];
  return Array.from({ length: steps }, (_, i) =>
    i < Math.floor(steps / 2) ? f32(first + step * i) : f32(last - step * (steps - 1 - i)),
  );
}

/** float32 running product with a float64 accumulator, as libtorch's `cumprod` on the CPU. */
function cumprod32(values: readonly number[]): number[] {
  let product = 1;
  return values.map((value) => f32((product *= value)));
}

/** Cosine schedule of Nichol and Dhariwal (arXiv 2102.09672, eq. 17), betas capped at 0.999. */
function cosineBetas(count: number): number[] {
  const alphaBar = (t: number) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Array.from({ length: count }, (_, i) =>
    f32(Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), 0.999)),
  );
}

/** Betas of a named schedule, length `count`, float32 values. */
export function makeBetas(schedule: BetaSchedule, start: number, end: number, count: number): number[] {
  switch (schedule) {
    case "linear":
      return linspace32(start, end, count);
    case "scaled_linear":
      return linspace32(Math.sqrt(start), Math.sqrt(end), count).map((root) => f32(root * root));
    case "squaredcos_cap_v2":
      return cosineBetas(count);
  }
}

/** Shifts and scales a schedule so that the last timestep is pure noise (arXiv 2305.08891, algorithm 1). */
export function rescaleZeroTerminalSnr(betas: readonly number[]): number[] {
  const roots = sqrt32(alphasCumprodOf(betas));
  const first = roots[0]!;
  const last = roots[roots.length - 1]!;
  const factor = f32(first / f32(first - last));
  const products = roots.map((root) => f32(f32(root - last) * factor)).map((root) => f32(root * root));
  return products.map((product, i) => f32(1 - (i === 0 ? product : f32(product / products[i - 1]!))));
}

/** Running product of (1 - beta), float32 values. */
export const alphasCumprodOf = (betas: readonly number[]): number[] =>
  cumprod32(betas.map((beta) => f32(1 - beta)));

/**
 * alphabar of each training timestep for these options. `least`: what is left of the signal at the end of a schedule
 * rescaled to zero terminal SNR, for solvers that divide by it.
 */
export function alphasOf(config: SchedulerConfig, least = 0): number[] {
  const { num_train_timesteps: count, trained_betas: trained } = config;
  const betas =
    trained?.map(f32) ?? makeBetas(config.beta_schedule, config.beta_start, config.beta_end, count);
  if (!config.rescale_betas_zero_snr) return alphasCumprodOf(betas);
  return [...alphasCumprodOf(rescaleZeroTerminalSnr(betas)).slice(0, -1), least];
}
