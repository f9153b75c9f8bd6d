// Pseudo numerical methods, Liu et al. 2022 (arXiv 2202.09778, algorithm 2). Reference: diffusers schedulers/scheduling_pndm.py.
import { ConfigError, keep, scope, type Tensor } from "../torch/index.ts";
import { SCHEDULE_DEFAULTS, type SchedulerConfig, type SchedulerSpec } from "./config.ts";
import { DiscreteScheduler, type SchedulerOptions } from "./discrete-scheduler.ts";
import { sqrt32, times } from "./float32.ts";
import { spacedTimesteps } from "./timesteps.ts";

export interface PndmConfig extends SchedulerConfig {
  prediction_type: "epsilon" | "v_prediction";
  /** Starts with one repeated step instead of three Runge-Kutta steps of four predictions each; all Stable Diffusion models do. */
  skip_prk_steps: boolean;
  /** After the last step alphabar is 1; if false, alphabar of timestep 0. */
  set_alpha_to_one: boolean;
}

const SPEC: SchedulerSpec<PndmConfig> = {
  className: "PNDMScheduler",
  defaults: {
    ...SCHEDULE_DEFAULTS,
    prediction_type: "epsilon",
    skip_prk_steps: false,
    set_alpha_to_one: false,
  },
  choices: { prediction_type: ["epsilon", "v_prediction"] },
};

/** Adams-Bashforth of order 1 to 4: weights of the predictions, newest first, and what their sum is scaled by. */
const MULTISTEP: readonly { weights: readonly number[]; scale: (sum: Tensor) => Tensor }[] = [
  { weights: [1], scale: (sum) => sum },
  { weights: [3, -1], scale: (sum) => sum.div(2) },
  { weights: [23, -16, 5], scale: (sum) => sum.div(12) },
  { weights: [55, -59, 37, -9], scale: (sum) => sum.mul(1 / 24) },
];

const f32 = Math.fround;

/** A reference of the scheduler's own, outside every scope. */
const held = (xs: Tensor): Tensor => keep(xs.alias());

/** PNDM: its first steps take several predictions, so that `timesteps` is longer than the number of steps. */
export class PndmScheduler extends DiscreteScheduler<PndmConfig> {
  #steps = 0;
  /** Timesteps of the Runge-Kutta steps, four to a step. */
  #rungeKutta: readonly number[] = [];
  #taken = 0;
  /** Predictions of the steps before, newest first, at most three. */
  #history: readonly Tensor[] = [];
  /** The sample that the step in progress started from, and the weighted sum of its predictions. */
  #start: Tensor | undefined;
  #sum: Tensor | undefined;

  constructor(options: SchedulerOptions<PndmConfig> = {}) {
    super(SPEC, options);
  }

  override setTimesteps(steps: number): void {
    const { timestep_spacing: spacing, steps_offset: stepsOffset, skip_prk_steps: skip } = this.config;
    const trainTimesteps = this.numTrainTimesteps;
    const spaced = spacedTimesteps(spacing, steps, { trainTimesteps, stepsOffset });
    if (!skip && steps < 4)
      throw new ConfigError(
        `PNDM with skip_prk_steps false cannot sample in ${steps} steps: Runge-Kutta takes the first 3, so there must be at least 4. ` +
          `All Stable Diffusion models set skip_prk_steps true.`,
      );
    const half = Math.floor(trainTimesteps / steps / 2);
    const [first, second, third, fourth] = spaced as [number, number, number, number];
    // Four predictions to a step: at its start, twice half-way, and at its end.
    const stages = (from: number, to: number) => [from, to + half, to + half, to];
    this.#rungeKutta = skip
      ? []
      : [...stages(first, second), ...stages(second, third), ...stages(third, fourth)];
    this.timesteps = skip
      ? [...spaced.slice(0, 2), ...spaced.slice(1)]
      : [...this.#rungeKutta, ...spaced.slice(3)];
    this.#steps = steps;
    this.reset();
  }

  override reset(): void {
    for (const tensor of [...this.#history, this.#start, this.#sum]) tensor?.dispose();
    this.#history = [];
    this.#start = this.#sum = undefined;
    this.#taken = 0;
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor): Tensor {
    if (this.#steps === 0)
      throw new ConfigError("PNDM has no sampling timesteps yet; call setTimesteps before the first step.");
    return scope(() => {
      const isRungeKutta = this.#taken < this.#rungeKutta.length;
      const next = isRungeKutta
        ? this.rungeKutta(modelOutput, timestep, sample)
        : this.multistep(modelOutput, timestep, sample);
      this.#taken++;
      if (this.#taken === this.timesteps.length) this.reset();
      return next;
    });
  }

  private rungeKutta(modelOutput: Tensor, timestep: number, sample: Tensor): Tensor {
    const stage = this.#taken % 4;
    const half = Math.floor(this.numTrainTimesteps / this.#steps / 2);
    const from = this.#rungeKutta[this.#taken - stage]!;
    const to = stage % 2 === 0 ? timestep - half : timestep;

    const part = modelOutput.mul(stage === 0 || stage === 3 ? 1 / 6 : 1 / 3);
    const sum = this.#sum?.add(part) ?? part;
    const next = this.move(stage === 3 ? sum : modelOutput, { from, to }, this.#start ?? sample);

    if (stage === 0) {
      this.remember(modelOutput);
      this.#start = held(sample);
    }
    this.#sum?.dispose();
    this.#sum = held(sum);
    if (stage === 3) this.endStep();
    return next;
  }

  private multistep(modelOutput: Tensor, timestep: number, sample: Tensor): Tensor {
    const ratio = Math.floor(this.numTrainTimesteps / this.#steps);
    if (this.#taken === 1) {
      // The first step again, with the average of the predictions at both its ends.
      const average = modelOutput.add(this.#history[0]!).div(2);
      const next = this.move(average, { from: timestep + ratio, to: timestep }, this.#start!);
      this.endStep();
      return next;
    }
    const outputs = [modelOutput, ...this.#history];
    const { weights, scale } = MULTISTEP[this.#history.length]!;
    const [newest, ...older] = outputs.map((output, i) => output.mul(weights[i]!)) as [Tensor, ...Tensor[]];
    const output = scale(older.reduce((sum, part) => sum.add(part), newest));
    const next = this.move(output, { from: timestep, to: timestep - ratio }, sample);

    this.remember(modelOutput);
    if (this.#taken === 0) this.#start = held(sample);
    return next;
  }

  /** The sample at another noise level, eq. 9; `to` below 0 is the end. */
  private move(prediction: Tensor, { from, to }: { from: number; to: number }, sample: Tensor): Tensor {
    const [a, end] = [this.alphaProduct(from), this.config.set_alpha_to_one ? 1 : this.alphaProduct(0)];
    const [b, aTo] = [f32(1 - a), to >= 0 ? this.alphaProduct(to) : end];
    const [signal, sigma, scale, sigmaTo, mixed] = sqrt32([
      a,
      b,
      f32(aTo / a),
      f32(1 - aTo),
      f32(f32(a * b) * aTo),
    ]) as [number, number, number, number, number];
    const isVelocity = this.predictionType === "v_prediction";
    const noise = isVelocity ? times(signal, prediction).add(times(sigma, sample)) : prediction;
    return times(scale, sample).sub(times(f32(aTo - a), noise).div(f32(f32(a * sigmaTo) + mixed)));
  }

  private remember(modelOutput: Tensor): void {
    const history = [held(modelOutput), ...this.#history];
    for (const forgotten of history.slice(3)) forgotten.dispose();
    this.#history = history.slice(0, 3);
  }

  private endStep(): void {
    this.#start?.dispose();
    this.#sum?.dispose();
    this.#start = this.#sum = undefined;
  }
}
