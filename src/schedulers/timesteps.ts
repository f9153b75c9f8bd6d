// The three ways to place sampling timesteps (table 2 of arXiv 2305.08891), with numpy's rounding.
import { ConfigError } from "../torch/index.ts";
import { countdown, linspaceTo, roundHalfEven } from "./numpy.ts";

export type TimestepSpacing = "leading" | "trailing" | "linspace";

interface SpacingOptions {
  trainTimesteps: number;
  stepsOffset: number;
}

/** Timesteps in [0, trainTimesteps), highest first; whole numbers but for "linspace", which the caller rounds. */
export function spread(spacing: TimestepSpacing, steps: number, options: SpacingOptions): number[] {
  const { trainTimesteps, stepsOffset } = options;
  checkSteps(steps, trainTimesteps);
  const place = {
    linspace: () => linspaceTo(trainTimesteps - 1, steps).reverse(),
    leading: () => leading(Math.floor(trainTimesteps / steps), steps, stepsOffset),
    trailing: () => trailing(trainTimesteps, trainTimesteps / steps, steps),
  };
  return checkRange(place[spacing](), { spacing, steps, ...options });
}

/** `steps` integer timesteps in [0, trainTimesteps), highest first. Throws ConfigError when they do not fit. */
export const spacedTimesteps = (spacing: TimestepSpacing, steps: number, options: SpacingOptions): number[] =>
  spread(spacing, steps, options).map(roundHalfEven);

/**
 * Integer timesteps of DPM-Solver, which places one more and leaves out the lowest, below `end` (at most
 * trainTimesteps); with "trailing" and an earlier end they are fewer than `steps`.
 */
export function solverTimesteps(
  spacing: TimestepSpacing,
  steps: number,
  options: SpacingOptions & { end: number },
): number[] {
  const { trainTimesteps, stepsOffset, end } = options;
  checkSteps(steps, spacing === "leading" ? end - 1 : trainTimesteps);
  const place = {
    linspace: () =>
      linspaceTo(end - 1, steps + 1)
        .reverse()
        .map(roundHalfEven),
    leading: () => leading(Math.floor(end / (steps + 1)), steps + 1, stepsOffset),
    trailing: () => [...trailing(end, trainTimesteps / steps, steps), -1],
  };
  const timesteps = place[spacing]().slice(0, -1);
  return checkRange(timesteps, { spacing, steps, ...options });
}

const leading = (ratio: number, count: number, offset: number): number[] =>
  Array.from({ length: count }, (_, i) => (count - 1 - i) * ratio + offset);

// numpy's arange ends one too late for some numbers of steps (61, 103, ...), where diffusers samples timestep -1 as well.
const trailing = (end: number, ratio: number, steps: number): number[] =>
  countdown(end, ratio)
    .slice(0, steps)
    .map((timestep) => roundHalfEven(timestep) - 1)
    .filter((timestep) => timestep >= 0);

function checkSteps(steps: number, most: number): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= most) return;
  throw new ConfigError(
    `Cannot sample in ${steps} steps: the number of steps must be an integer between 1 and ${most}, as there are no more timesteps.`,
  );
}

function checkRange(
  timesteps: number[],
  options: SpacingOptions & { spacing: TimestepSpacing; steps: number },
): number[] {
  const { trainTimesteps, stepsOffset, spacing, steps } = options;
  const [highest = -1] = timesteps;
  const lowest = timesteps.at(-1) ?? -1;
  if (highest >= trainTimesteps || lowest < 0) {
    throw new ConfigError(
      `${steps} steps with timestep_spacing "${spacing}" and steps_offset ${stepsOffset} go from timestep ${highest} to ${lowest}, ` +
        `but the highest is ${trainTimesteps - 1} and the lowest 0. Use fewer steps or another timestep_spacing.`,
    );
  }
  return timesteps;
}
