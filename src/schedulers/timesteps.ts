// The three ways to place sampling timesteps (table 2 of arXiv 2305.08891), with numpy's rounding.
import { ConfigError } from "../torch/index.ts";

export type TimestepSpacing = "leading" | "trailing" | "linspace";

/** Rounds halves to the even neighbour, as numpy does (Math.round rounds them up). */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `steps` integer timesteps in [0, trainTimesteps), highest first. Throws ConfigError when they do not fit. */
export function spacedTimesteps(
  spacing: TimestepSpacing,
  steps: number,
  options: { trainTimesteps: number; stepsOffset: number },
): number[] {
  const { trainTimesteps, stepsOffset } = options;
  if (!Number.isInteger(steps) || steps < 1 || steps > trainTimesteps) {
    throw new ConfigError(
      `Cannot sample in ${steps} steps: the number of steps must be an integer between 1 and num_train_timesteps (${trainTimesteps}).`,
    );
  }
  const timesteps = Array.from({ length: steps }, (_, i) => {
    switch (spacing) {
      case "linspace":
        // numpy.linspace: multiples of the step, and the last value exactly the end.
        if (steps > 1 && i === 0) return trainTimesteps - 1;
        return steps === 1 ? 0 : roundHalfEven((steps - 1 - i) * ((trainTimesteps - 1) / (steps - 1)));
      case "leading":
        return (steps - 1 - i) * Math.floor(trainTimesteps / steps) + stepsOffset;
      case "trailing":
        return roundHalfEven(trainTimesteps - i * (trainTimesteps / steps)) - 1;
    }
  });
  const [highest] = timesteps;
  if (highest! >= trainTimesteps) {
    throw new ConfigError(
      `${steps} steps with timestep_spacing "${spacing}" and steps_offset ${stepsOffset} start at timestep ${highest}, ` +
        `but the highest is ${trainTimesteps - 1}. Use fewer steps or another timestep_spacing.`,
    );
  }
  return timesteps;
}
