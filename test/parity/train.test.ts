// Six optimizer steps of stages 1 and 3 against PyTorch with given pixels, noise, timesteps and groups. Goldens: train.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import {
  accumulate,
  groupsObjective,
  GuidedDenoiser,
  meanObjective,
  type Objective,
  type Trainer,
  update,
} from "../../src/method/index.ts";
import { loadTextEncoder, loadUnet, loadVae } from "../../src/models/index.ts";
import { AdamW, Ema, lrSchedule } from "../../src/nn/index.ts";
import { makeScheduler } from "../../src/schedulers/index.ts";
import { noGrad, scope, type Tensor } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { within } from "./within.ts";

interface Step {
  readonly step: number;
  readonly loss: number;
  readonly mean: number | null;
  readonly var: number | null;
  readonly grad_norm: number;
  readonly lr: number;
}
interface Golden {
  readonly model: string;
  readonly lr: number;
  readonly warmup: number;
  readonly steps: number;
  readonly max_grad_norm: number;
  readonly lambda: number;
  readonly stage1: readonly Step[];
  readonly stage3: readonly Step[];
}

const options = JSON.parse(readFileSync(golden("train.json"), "utf8")) as Golden;
const expected = readSafetensors(golden("train.safetensors"));
const at = (name: string, step: number): Tensor => expected.get(name)!.select(0, step);

const vae = loadVae(golden(`${options.model}/vae`));
const textEncoder = loadTextEncoder(golden(`${options.model}/text_encoder`));
const base = loadUnet(golden(`${options.model}/unet`)).requiresGrad_(false);
// DDPM with the configuration of Stable Diffusion 1, as make_golden.py.
const scheduler = makeScheduler("ddpm", {
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  steps_offset: 1,
  clip_sample: false,
});
let encoderHiddenStates: Tensor;
beforeAll(() => {
  encoderHiddenStates = noGrad(() => textEncoder.forward(expected.get("input_ids")!));
});
afterAll(() => [vae, textEncoder, base].forEach((model) => model[Symbol.dispose]()));

const relative = (actual: number, wanted: number): number => Math.abs(actual - wanted) / Math.abs(wanted);

/** The objective of a step: its groups are given, row by row. */
function objectiveOf(step: number): Objective {
  const groups = at("groups", step);
  const [, count] = groups.shape as [number, number];
  return groupsObjective({ weights: groups.toArray() as Float32Array, count, lambda: options.lambda });
}

/** The library's own step on a given batch, measured under the names of train.json. */
function train(trainer: Trainer, step: number): Omit<Step, "step"> {
  const result = scope(() => {
    const latents = noGrad(() => vae.encode(at("pixels", step)).sample(at("vae_noise", step)));
    const batch = {
      latents: latents.mul(vae.config.scaling_factor),
      noise: at("noise", step),
      timesteps: at("timesteps", step),
      encoderHiddenStates,
    };
    return accumulate(
      trainer,
      batch,
      Int32Array.from({ length: latents.shape[0]! }, (_, i) => i),
    );
  });
  const { gradNorm, learningRate } = update(trainer, step, () => []);
  trainer.optimizer.zeroGrad();
  const { loss, mean = null, variance = null } = result;
  return { loss, mean, var: variance, grad_norm: gradNorm, lr: learningRate };
}

describe.each(["stage1", "stage3"] as const)("train: %s", (stage) => {
  it("losses, gradient norms, rates, parameters and averages", () => {
    const isGrouped = stage === "stage3";
    using network = base.clone().requiresGrad_();
    if (isGrouped)
      noGrad(() =>
        ["weight", "bias"].forEach((part) => network.stateDict().get(`conv_out.${part}`)!.zero_()),
      );
    const denoiser = isGrouped
      ? new GuidedDenoiser(base, { kind: "network", network }, { form: "blend", ratio: 0.8 })
      : network;
    const named = network.stateDict();
    using optimizer = new AdamW(named, { betas: [0.9, 0.999], weightDecay: 1e-2, eps: 1e-8 });
    using ema = new Ema(named);
    const trainer: Omit<Trainer, "objective"> = {
      ...{ denoiser, scheduler, optimizer, ema, parameters: [...named.values()], seed: 0 },
      learningRate: lrSchedule("cosine", {
        lr: options.lr,
        warmupSteps: options.warmup,
        totalSteps: options.steps,
      }),
      maxGradNorm: options.max_grad_norm,
      draw: { trainTimesteps: scheduler.numTrainTimesteps },
    };
    const check = (what: string, where: string, error: number, tolerance: number) =>
      within(`train, ${stage}: ${what}`, where, error, tolerance);

    for (const wanted of options[stage]) {
      const objective = isGrouped ? objectiveOf(wanted.step) : meanObjective;
      const got = train({ ...trainer, objective }, wanted.step);
      const where = `step ${wanted.step}`;
      check("learning rate", where, Math.abs(got.lr - wanted.lr), 1e-12);
      check("loss", where, relative(got.loss, wanted.loss), 1e-5);
      check("gradient norm", where, relative(got.grad_norm, wanted.grad_norm), 1e-4);
      expect(got.mean === null).toBe(wanted.mean === null);
      if (wanted.mean !== null) check("mean of groups", where, relative(got.mean!, wanted.mean), 1e-5);
      if (wanted.var !== null)
        // The groups' losses are nearly equal: relative to itself their variance would measure rounding.
        check("variance of groups / loss", where, Math.abs(got.var! - wanted.var) / wanted.loss, 1e-6);
    }

    scope(() => {
      for (const [key, value] of named) {
        const wanted = expected.get(`${stage}.norm.${key}`)!.item();
        check("norm of every parameter", key, Math.abs(value.norm().item() - wanted) / (wanted + 1e-3), 1e-4);
      }
      const whole = [...expected.keys()].filter((key) => key.startsWith(`${stage}.param.`));
      expect(whole).toHaveLength(4);
      for (const name of whole) {
        const key = name.slice(`${stage}.param.`.length);
        check("four whole parameters", key, relativeError(named.get(key)!, expected.get(name)!), 1e-3);
      }
      const averaged = ema.stateDict().get("conv_in.weight")!;
      const wanted = expected.get(`${stage}.ema.conv_in.weight`)!;
      check("averages (EMA)", "conv_in.weight", relativeError(averaged, wanted), 1e-4);
    });
  });
});
