// DPM-Solver and DPM-Solver++, multistep, Lu et al. 2022 (arXiv 2206.00927 and 2211.01095).
// Reference: diffusers schedulers/scheduling_dpmsolver_multistep.py.
import { keep, scope, type Tensor } from "../torch/index.ts";
import { refusal, type SchedulerSpec, SIGMA_DEFAULTS, type SigmaConfig } from "./config.ts";
import type { SchedulerOptions } from "./discrete-scheduler.ts";
import {
  type AlgorithmType,
  dividedDifferences,
  type NoiseLevel,
  noiseLevels,
  type SolverType,
  updateWeights,
} from "./dpm-update.ts";
import { log32, sqrt32, times } from "./float32.ts";
import { roundHalfEven } from "./numpy.ts";
import type { StepOptions } from "./scheduler.ts";
import { SigmaScheduler } from "./sigma-scheduler.ts";
import { sigmasAt, timestepOf } from "./sigmas.ts";
import { stepNoise } from "./step-noise.ts";
import { solverTimesteps } from "./timesteps.ts";

export interface DpmSolverConfig extends SigmaConfig {
  solver_order: 1 | 2 | 3;
  algorithm_type: AlgorithmType;
  solver_type: SolverType;
  /** Lower orders in the last steps when there are fewer than 15. */
  lower_order_final: boolean;
  /** First order in the last step, however many there are. */
  euler_at_final: boolean;
  /** Timesteps whose log(alpha / sigma) is below are not sampled; for cosine schedules. */
  lambda_min_clipped: number;
  /** Of DDPM's files; only a variance that the model predicts would change anything, and is not supported. */
  variance_type: "fixed_small" | "fixed_small_log" | "fixed_large" | "fixed_large_log" | null;
  thresholding: boolean;
  dynamic_thresholding_ratio: number;
  sample_max_value: number;
  use_lu_lambdas: boolean;
  use_flow_sigmas: boolean;
  flow_shift: number;
  use_dynamic_shifting: boolean;
  time_shift_type: "exponential";
}

const SPEC: SchedulerSpec<DpmSolverConfig> = {
  className: "DPMSolverMultistepScheduler",
  defaults: {
    ...SIGMA_DEFAULTS,
    solver_order: 2,
    algorithm_type: "dpmsolver++",
    solver_type: "midpoint",
    lower_order_final: true,
    euler_at_final: false,
    lambda_min_clipped: -Infinity,
    variance_type: null,
    thresholding: false,
    dynamic_thresholding_ratio: 0.995,
    sample_max_value: 1,
    use_lu_lambdas: false,
    use_flow_sigmas: false,
    flow_shift: 1,
    use_dynamic_shifting: false,
    time_shift_type: "exponential",
  },
  choices: {
    solver_order: [1, 2, 3],
    algorithm_type: ["dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver"],
    solver_type: ["midpoint", "heun"],
    variance_type: [null, "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"],
    use_lu_lambdas: [false],
    use_flow_sigmas: [false],
    use_dynamic_shifting: [false],
    time_shift_type: ["exponential"],
  },
};

/** Values of the related schedulers DEIS and UniPC, which diffusers reads as these. */
const ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  algorithm_type: { deis: "dpmsolver++" },
  solver_type: { logrho: "midpoint", bh1: "midpoint", bh2: "midpoint" },
};

const withoutAliases = (options: SchedulerOptions<DpmSolverConfig>) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]: [string, unknown]) => [
      name,
      (typeof value === "string" ? ALIASES[name]?.[value] : undefined) ?? value,
    ]),
  );

const f32 = Math.fround;

/** DPM-Solver: orders 2 and 3 use the predictions of one and two steps before, kept until the last step or `reset`. */
export class DpmSolverScheduler extends SigmaScheduler<DpmSolverConfig> {
  /** What earlier steps made of their predictions, newest first. */
  #history: readonly Tensor[] = [];

  constructor(options: SchedulerOptions<DpmSolverConfig> = {}) {
    super(SPEC, withoutAliases(options));
    const { algorithm_type: algorithm, final_sigmas_type, solver_order } = this.config;
    const refuse = refusal(SPEC.className);
    if (!algorithm.endsWith("++") && final_sigmas_type === "zero")
      refuse("final_sigmas_type", final_sigmas_type, `"sigma_min" with algorithm_type "${algorithm}"`);
    if (algorithm === "sde-dpmsolver" && solver_order === 3)
      refuse("solver_order", solver_order, `1 or 2 with algorithm_type "${algorithm}"`);
  }

  override reset(): void {
    super.reset();
    for (const output of this.#history) output.dispose();
    this.#history = [];
  }

  override setTimesteps(steps: number): void {
    const { config, trainingSigmas: table, numTrainTimesteps: trainTimesteps } = this;
    const options = { trainTimesteps, stepsOffset: config.steps_offset, end: this.clippedEnd() };
    const timesteps = solverTimesteps(config.timestep_spacing, steps, options);
    if (!config.use_karras_sigmas) return this.setSchedule(timesteps, sigmasAt(timesteps, table));
    const sigmas = this.karras({ min: table[0]!, max: table.at(-1)! }, steps);
    const whole = config.beta_schedule === "squaredcos_cap_v2" ? Math.trunc : roundHalfEven;
    this.setSchedule(
      sigmas.map((sigma) => whole(timestepOf(sigma, table))),
      sigmas,
    );
  }

  step(modelOutput: Tensor, timestep: number, sample: Tensor, { generator }: StepOptions = {}): Tensor {
    const index = this.indexOf(timestep);
    const order = this.orderAt(index);
    const { algorithm_type: algorithm, solver_type: solver } = this.config;
    return scope(() => {
      const levels = noiseLevels(this.sigmas.slice(index + 1 - order, index + 2).toReversed());
      const [to, from] = levels as [NoiseLevel, NoiseLevel];
      const output = this.convert(modelOutput, from, sample);
      const differences = dividedDifferences([output, ...this.#history].slice(0, order), levels);
      const weights = updateWeights({ algorithm, solver, order }, { from, to });
      let next = times(weights.sample, sample.to("float32"));
      differences.forEach((difference, i) => {
        next = next.add(times(weights.differences[i]!, difference));
      });
      if (weights.noise !== undefined)
        next = next.add(times(weights.noise, stepNoise(output, generator, "float32")));
      const result = next.to(output.dtype);
      this.remember(output);
      this.advance(index);
      return result;
    });
  }

  protected override noised(latents: Tensor, noise: Tensor, level: Tensor): Tensor {
    const alpha = level.square().add(1).sqrt().reciprocal();
    const [signal, sigma] = [alpha, level.mul(alpha)].map((weight) => weight.to(latents.dtype));
    return signal!.mul(latents).add(sigma!.mul(noise));
  }

  /** The order of a step: what the history allows, less towards the end. */
  private orderAt(index: number): number {
    const { solver_order, lower_order_final, euler_at_final, final_sigmas_type } = this.config;
    const left = this.timesteps.length - index;
    const isShort = lower_order_final && this.timesteps.length < 15;
    const isFirstOrder = left === 1 && (euler_at_final || isShort || final_sigmas_type === "zero");
    const most = isFirstOrder ? 1 : left === 2 && isShort ? 2 : solver_order;
    return Math.min(most, solver_order, this.#history.length + 1);
  }

  /** The clean sample (++) or the noise that a prediction implies; a new reference. */
  private convert(modelOutput: Tensor, { alpha, sigma }: NoiseLevel, sample: Tensor): Tensor {
    const isData = this.config.algorithm_type.endsWith("++");
    switch (this.predictionType) {
      case "epsilon":
        return isData ? sample.sub(times(sigma, modelOutput)).div(alpha) : modelOutput.alias();
      case "v_prediction":
        return isData
          ? times(alpha, sample).sub(times(sigma, modelOutput))
          : times(alpha, modelOutput).add(times(sigma, sample));
      case "sample":
        return isData ? modelOutput.alias() : sample.sub(times(alpha, modelOutput)).div(sigma);
    }
  }

  /** Keeps an output for the steps to come. */
  private remember(output: Tensor): void {
    const history = [keep(output), ...this.#history];
    const length = this.config.solver_order - 1;
    for (const forgotten of history.slice(length)) forgotten.dispose();
    this.#history = history.slice(0, length);
  }

  /** One beyond the highest timestep that `lambda_min_clipped` leaves. */
  private clippedEnd(): number {
    const [logAlphas, logSigmas] = [
      log32(sqrt32(this.alphasCumprod)),
      log32(sqrt32(this.alphasCumprod.map((product) => 1 - product))),
    ];
    const least = f32(this.config.lambda_min_clipped);
    return logAlphas.filter((log, t) => f32(log - logSigmas[t]!) >= least).length;
  }
}
