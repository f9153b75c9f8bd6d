// Six optimizer steps of stages 1 and 3 with given pixels, noise, timesteps and groups. Goldens: train. As test/parity/train.test.ts.
import { readFileSync } from "node:fs";
import {
  accumulate,
  groupsObjective,
  GuidedDenoiser,
  meanObjective,
  type Objective,
  type Trainer,
  update,
} from "../../../src/method/index.ts";
import { loadTextEncoder, loadUnet, loadVae, type UNet2DConditionModel } from "../../../src/models/index.ts";
import { AdamW, Ema, lrSchedule } from "../../../src/nn/index.ts";
import { makeScheduler } from "../../../src/schedulers/index.ts";
import { keep, noGrad, scope, type Tensor } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";
import { type Checks, Fixture, relativeError } from "./checks.ts";
import { LIMITS } from "./tolerances.ts";

interface Step {
  readonly step: number;
  readonly loss: number;
  readonly mean: number | null;
  readonly var: number | null;
  readonly grad_norm: number;
}
interface GoldenFile {
  readonly model: string;
  readonly lr: number;
  readonly warmup: number;
  readonly steps: number;
  readonly max_grad_norm: number;
  readonly lambda: number;
  readonly stage1: readonly Step[];
  readonly stage3: readonly Step[];
}
type Stage = "stage1" | "stage3";
type Batch = Parameters<typeof accumulate>[1];

const relative = (actual: number, wanted: number): number => Math.abs(actual - wanted) / Math.abs(wanted);

/** DDPM with the configuration of Stable Diffusion 1, as make_golden.py. */
const scheduler = () =>
  makeScheduler("ddpm", {
    ...{ beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear", steps_offset: 1 },
    clip_sample: false,
  });

/** Losses, gradient norms, weights and averages of both stages. */
export function checkTraining(checks: Checks): void {
  const { device } = checks;
  const file = JSON.parse(readFileSync(golden("train.json"), "utf8")) as GoldenFile;
  using fixture = new Fixture("train.safetensors");
  const batches = trainingBatches(file, fixture, device);
  try {
    using base = loadUnet(golden(`${file.model}/unet`), { device });
    base.requiresGrad_(false);
    for (const stage of ["stage1", "stage3"] as const)
      checkStage(checks, { stage, file, fixture, base, batches });
  } finally {
    for (const batch of batches)
      Object.values<Tensor | undefined>({ ...batch }).forEach((one) => one?.dispose());
  }
}

/** What every step is given, on the device: both stages see the same. */
function trainingBatches(file: GoldenFile, fixture: Fixture, device: string): Batch[] {
  using vae = loadVae(golden(`${file.model}/vae`), { device });
  using textEncoder = loadTextEncoder(golden(`${file.model}/text_encoder`), { device });
  const at = (name: string, step: number): Tensor => fixture.get(name).select(0, step).to(device);
  return Array.from({ length: file.steps }, (_, step) =>
    noGrad(() =>
      scope(() => {
        const latents = vae.encode(at("pixels", step)).sample(at("vae_noise", step));
        return {
          latents: keep(latents.mul(vae.config.scaling_factor)),
          noise: keep(at("noise", step)),
          timesteps: keep(at("timesteps", step)),
          encoderHiddenStates: keep(textEncoder.forward(fixture.get("input_ids").to(device))),
        };
      }),
    ),
  );
}

interface Given {
  readonly stage: Stage;
  readonly file: GoldenFile;
  readonly fixture: Fixture;
  readonly base: UNet2DConditionModel;
  readonly batches: readonly Batch[];
}

/** The objective of a step: its groups are given, row by row. */
function objectiveOf({ stage, file, fixture }: Given, step: number): Objective {
  if (stage === "stage1") return meanObjective;
  return scope(() => {
    const groups = fixture.get("groups").select(0, step);
    const weights = groups.toArray() as Float32Array;
    return groupsObjective({ weights, count: groups.shape[1]!, lambda: file.lambda });
  });
}

function checkStage(checks: Checks, given: Given): void {
  const { stage, file, base, batches } = given;
  using network = base.clone();
  network.requiresGrad_();
  const isGrouped = stage === "stage3";
  const named = network.stateDict();
  if (isGrouped) noGrad(() => ["weight", "bias"].forEach((part) => named.get(`conv_out.${part}`)!.zero_()));
  const denoiser = isGrouped
    ? new GuidedDenoiser(base, { kind: "network", network }, { form: "blend", ratio: 0.8 })
    : network;
  using optimizer = new AdamW(named, { betas: [0.9, 0.999], weightDecay: 1e-2, eps: 1e-8 });
  using ema = new Ema(named);
  const schedule = { lr: file.lr, warmupSteps: file.warmup, totalSteps: file.steps };
  const trainer: Omit<Trainer, "objective"> = {
    ...{ denoiser, scheduler: scheduler(), optimizer, ema, parameters: [...named.values()], seed: 0 },
    ...{ learningRate: lrSchedule("cosine", schedule), maxGradNorm: file.max_grad_norm },
    ...{ draw: { trainTimesteps: 1000 }, precision: checks.precision },
  };
  for (const wanted of file[stage]) {
    const batch = batches[wanted.step]!;
    const own = { ...trainer, objective: objectiveOf(given, wanted.step) };
    const rows = Int32Array.from({ length: batch.latents.shape[0]! }, (_, i) => i);
    const result = scope(() => accumulate(own, batch, rows));
    const { gradNorm } = update(own, wanted.step, () => []);
    optimizer.zeroGrad();
    checkNumbers(checks, stage, { ...result, gradNorm }, wanted);
  }
  scope(() => checkWeights(checks, given, { named, ema }));
}

interface Numbers {
  readonly loss: number;
  readonly mean?: number;
  readonly variance?: number;
  readonly gradNorm: number;
}

function checkNumbers({ within, precision }: Checks, stage: Stage, got: Numbers, wanted: Step): void {
  const limits = LIMITS[precision];
  const at = `step ${wanted.step}`;
  within(`train, ${stage}: loss`, at, relative(got.loss, wanted.loss), limits.loss);
  within(`train, ${stage}: gradient norm`, at, relative(got.gradNorm, wanted.grad_norm), limits.totalNorm);
  if (wanted.mean !== null)
    within(`train, ${stage}: mean of groups`, at, relative(got.mean ?? NaN, wanted.mean), limits.loss);
  // The groups' losses are nearly equal: relative to itself their variance would measure rounding.
  if (wanted.var !== null) {
    const error = Math.abs((got.variance ?? NaN) - wanted.var) / wanted.loss;
    within(`train, ${stage}: variance of groups / loss`, at, error, limits.variance);
  }
}

function checkWeights(
  { within, precision }: Checks,
  { stage, fixture }: Given,
  { named, ema }: { named: ReadonlyMap<string, Tensor>; ema: Ema },
): void {
  const { weights } = LIMITS[precision];
  for (const key of fixture.below(`${stage}.norm.`)) {
    const wanted = fixture.get(`${stage}.norm.${key}`).item();
    const error = Math.abs(named.get(key)!.norm().item() - wanted) / (wanted + 1e-3);
    within(`train, ${stage}: norm of every parameter`, key, error, weights);
  }
  for (const key of fixture.below(`${stage}.param.`)) {
    const error = relativeError(named.get(key)!, fixture.get(`${stage}.param.${key}`));
    within(`train, ${stage}: whole parameters`, key, error, weights);
  }
  for (const key of fixture.below(`${stage}.ema.`)) {
    const averaged = ema.stateDict().get(key)!;
    const error = relativeError(averaged, fixture.get(`${stage}.ema.${key}`));
    within(`train, ${stage}: averages (EMA)`, key, error, weights);
  }
}
