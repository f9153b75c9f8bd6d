// Every scheduler on the device: whole sampling runs and the forward process. Goldens: schedulers. As test/parity/schedulers.test.ts.
import { readFileSync } from "node:fs";
import { makeScheduler, type SchedulerName } from "../../../src/schedulers/index.ts";
import { Generator, scope, type Tensor } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, Fixture } from "./checks.ts";
import { stateLimit } from "./tolerances.ts";

interface Run {
  readonly key: string;
  readonly scheduler: SchedulerName;
  readonly prediction_type: string;
  readonly steps: number;
}
interface GoldenFile {
  readonly ddpm_generator_seed: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly runs: readonly Run[];
}

/** What the generator of the goldens gave each class beside the shared config. */
const OPTIONS: Readonly<Record<string, Record<string, unknown>>> = {
  ddim: { set_alpha_to_one: false },
  pndm: { set_alpha_to_one: false, skip_prk_steps: true },
};

/** The model of the golden runs: a closed formula of the sample and the timestep. */
const closedFormModel = (sample: Tensor, timestep: number): Tensor =>
  sample
    .mul(1.7)
    .add(timestep * 0.01)
    .sin()
    .mul(0.5)
    .add(sample.mul(0.3));

/** Largest error, relative to the expected value where that is above 1: float32 has no finer steps there. */
const scaledError = (actual: Tensor, expected: Tensor): number =>
  scope(() => actual.to("cpu").sub(expected).abs().div(expected.abs().clampMin(1)).max().item());

/** States of all runs; noisy latents and velocities of the forward process. */
export function checkSchedulers(checks: Checks): void {
  const file = JSON.parse(readFileSync(golden("schedulers.json"), "utf8")) as GoldenFile;
  const limit = stateLimit(checks.device);
  using fixture = new Fixture("schedulers.safetensors");
  const make = ({ scheduler, prediction_type }: Pick<Run, "scheduler" | "prediction_type">) =>
    makeScheduler(scheduler, { ...file.config, ...OPTIONS[scheduler], prediction_type });
  for (const run of file.runs) {
    using scheduler = make(run);
    scheduler.setTimesteps(run.steps);
    scope(() => {
      // As in a pipeline the noise is drawn on the processor, so that it is the same for every device.
      const generator = new Generator().manualSeed(file.ddpm_generator_seed);
      const compare = (state: Tensor, where: string) =>
        checks.within(
          `schedulers: ${run.scheduler} states`,
          `${run.key}, ${where}`,
          scaledError(state, fixture.get(`${run.key}.${where}`)),
          limit,
        );
      const stored = new Set(fixture.below(`${run.key}.`));
      let sample = fixture.get("sample").to(checks.device).mul(scheduler.initNoiseSigma);
      for (const [i, t] of scheduler.timesteps.entries()) {
        const output = closedFormModel(scheduler.scaleModelInput(sample, t), t);
        sample = scheduler.step(output, t, sample, { generator });
        if (stored.has(`after${i}`)) compare(sample, `after${i}`);
      }
      compare(sample, "final");
    });
  }
  scope(() => {
    const on = (key: string) => fixture.get(key).to(checks.device);
    using scheduler = make({ scheduler: "ddpm", prediction_type: "epsilon" });
    const given = [on("sample"), on("add_noise.noise"), on("add_noise.timesteps")] as const;
    const row = "schedulers: forward process";
    const noisy = scaledError(scheduler.addNoise(...given), fixture.get("add_noise.out"));
    checks.within(row, "noisy latents", noisy, limit);
    const velocity = scaledError(scheduler.getVelocity(...given), fixture.get("velocity.out"));
    checks.within(row, "velocities", velocity, limit);
  });
}
