// What Euler and DPM-Solver share: a list of noise levels, a place in it, and noise added by level.
import { ConfigError } from "../torch/index.ts";
import type { SchedulerSpec, SigmaConfig } from "./config.ts";
import { DiscreteScheduler, type LevelTable, type SchedulerOptions } from "./discrete-scheduler.ts";
import { karrasSigmas, sigmasOf } from "./sigmas.ts";

/** alphabar left at the last timestep of a schedule with zero terminal SNR, so that its sigma stays finite; diffusers' choice. */
const LEAST_ALPHA = 2 ** -24;

export abstract class SigmaScheduler<C extends SigmaConfig> extends DiscreteScheduler<C> {
  /** Noise level of each training timestep. */
  readonly trainingSigmas: readonly number[];
  /** Noise level before each step and after the last: one more than there are timesteps. */
  sigmas: readonly number[];
  /** Noise level of every timestep that noise can be added at. */
  #levels: ReadonlyMap<number, number>;
  #next: number | undefined;

  constructor(spec: SchedulerSpec<C>, options: SchedulerOptions<C>) {
    super(spec, options, { least: LEAST_ALPHA });
    this.trainingSigmas = sigmasOf(this.alphasCumprod);
    this.#levels = new Map(this.trainingSigmas.entries());
    this.sigmas = [...this.trainingSigmas.toReversed(), 0];
  }

  override reset(): void {
    this.#next = undefined;
  }

  /** Takes a new schedule; the noise level after the last step is added to `sigmas`. */
  protected setSchedule(timesteps: readonly number[], sigmas: readonly number[]): void {
    const end = this.config.final_sigmas_type === "zero" ? 0 : this.trainingSigmas[0]!;
    this.timesteps = timesteps;
    this.sigmas = [...sigmas, end].map(Math.fround);
    this.#levels = new Map([
      ...this.trainingSigmas.entries(),
      ...timesteps.map((timestep) => [timestep, this.sigmas[this.firstIndex(timestep)]!] as const),
    ]);
    this.reset();
  }

  /** `steps` noise levels between these ends, or those in `given` (Euler's options, which diffusers heeds in any file). */
  protected karras(ends: { min: number; max: number }, steps: number): number[] {
    const { sigma_min: min, sigma_max: max } = this.given;
    return karrasSigmas(
      { min: typeof min === "number" ? min : ends.min, max: typeof max === "number" ? max : ends.max },
      steps,
    );
  }

  /** Where in the schedule a step is: the next one, or at the first step where its timestep stands. */
  protected indexOf(timestep: number): number {
    const index = this.#next ?? this.firstIndex(timestep);
    if (this.timesteps[index] === timestep) return index;
    const expected = this.#next === undefined ? "" : `; the next one is ${this.timesteps[this.#next]}`;
    throw new ConfigError(
      `Timestep ${timestep} is not the next of the ${this.timesteps.length} sampling timesteps${expected}. ` +
        `Pass them in order; setTimesteps() and reset() start anew.`,
    );
  }

  /** To be called at the end of a step; after the last one everything is as it was before the first. */
  protected advance(index: number): void {
    this.#next = index + 1;
    if (this.#next === this.timesteps.length) this.reset();
  }

  /** Noise level at a sampling timestep, or else at a training timestep. */
  protected level(timestep: number): number {
    const sigma = this.#levels.get(timestep);
    if (sigma === undefined)
      throw new ConfigError(
        `Timestep ${timestep} is neither a sampling timestep nor an integer between 0 and ${this.numTrainTimesteps - 1}.`,
      );
    return sigma;
  }

  /** Noise levels, of the sampling timesteps too. */
  protected override get levels(): LevelTable {
    return {
      table: this.trainingSigmas.map((_, timestep) => this.level(timestep)),
      at: (timestep: number) => this.level(timestep),
    };
  }

  /**
   * The index of a timestep to start at: where it is repeated the second, as in diffusers, so that sampling from the
   * middle skips no noise level; but at the very start the first, where diffusers would run out of noise levels.
   */
  private firstIndex(timestep: number): number {
    if (timestep === this.timesteps[0]) return 0;
    const first = this.timesteps.indexOf(timestep);
    const second = this.timesteps.indexOf(timestep, first + 1);
    return second >= 0 ? second : first;
  }
}
