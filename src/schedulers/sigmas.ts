// Noise levels: sigma is the noise's standard deviation where the signal's is 1 (arXiv 2206.00364).
// As in diffusers, tables are float32 and what lies between their entries is float64 until it is stored.
import { sqrt32 } from "./float32.ts";
import { interpolate, linspaceTo } from "./numpy.ts";

const f32 = Math.fround;

/** sqrt((1 - alphabar) / alphabar) of each training timestep, float32 values. */
export const sigmasOf = (alphasCumprod: readonly number[]): number[] =>
  sqrt32(alphasCumprod.map((product) => f32(f32(1 - product) / product)));

/** `steps` noise levels, highest first, evenly spaced in the seventh root (eq. 5). */
export function karrasSigmas({ min, max }: { min: number; max: number }, steps: number): number[] {
  const rho = 7;
  const [low, high] = [min ** (1 / rho), max ** (1 / rho)];
  return linspaceTo(1, steps).map((ramp) => (high + ramp * (low - high)) ** rho);
}

/** The training timestep, fractional, that has this noise level: linear in log sigma, within the table. */
export function timestepOf(sigma: number, table: readonly number[]): number {
  const log = Math.log(Math.max(sigma, 1e-10));
  // float32 logarithms, as numpy takes them of the float32 table (to 2 units in the last place: 1e-4 of a timestep).
  const logAt = (i: number) => f32(Math.log(table[i]!));
  let low = 0;
  for (let i = 1; i < table.length - 1 && log >= logAt(i); i++) low = i;
  const weight = Math.min(Math.max((logAt(low) - log) / (logAt(low) - logAt(low + 1)), 0), 1);
  return (1 - weight) * low + weight * (low + 1);
}

/** Noise levels at timesteps between the training timesteps. */
export const sigmasAt = (timesteps: readonly number[], table: readonly number[]): number[] =>
  timesteps.map((timestep) => interpolate(table, timestep));
