// An experiment's folder as finished stages leave it, around a tiny golden model: a base that differs from the model's own
// U-Net, and a guidance that differs from both.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ExperimentConfig, parseConfig, writeManifest } from "../src/experiment/index.ts";
import { writeExperimentYaml } from "../src/experiment/out-folder.ts";
import {
  type GuidanceSettings,
  makeGuidance,
  networkGuidance,
} from "../src/experiment/stages/guidance-model.ts";
import { loadUnet, saveUnet, UNet2DConditionModel } from "../src/models/index.ts";
import { Generator, noGrad, randn, scope, type Tensor } from "../src/torch/index.ts";
import { golden } from "./golden-dir.ts";

export const LORA: GuidanceSettings = {
  form: "difference",
  module: "lora",
  rank: 2,
  strength: 1,
  ratio: 0.5,
};
export const COPY: GuidanceSettings = { ...LORA, module: "copy" };

export interface FinishedRunOptions {
  /** Golden model. Default tiny-sd1. */
  readonly model?: string;
  /** null: the guidance stage found nothing to do; undefined: it has not run. */
  readonly guidance?: GuidanceSettings | null | undefined;
  /** Name of the guidance's stage. */
  readonly stage?: string;
  /** Further sections of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export const BASE_STEPS = 30;
export const GUIDANCE_STEPS = 12;

/** Makes `out`. */
export function finishedRun(out: string, options: FinishedRunOptions = {}): ExperimentConfig {
  const { model = "tiny-sd1", guidance, stage = "guidance", config = {} } = options;
  const path = golden(model);
  const whole = parseConfig({
    threads: 1,
    ...config,
    model: { path, ...(config["model"] as object | undefined) },
  });
  mkdirSync(out, { recursive: true });
  writeExperimentYaml(out, whole);
  using base = loadUnet(join(path, "unet"));
  disturb(base.stateDict(), 1);
  saveUnet(join(out, "base", "unet"), base);
  finish(out, "base", { trained: true, steps: BASE_STEPS });
  if (guidance === undefined) return whole;
  mkdirSync(join(out, stage), { recursive: true });
  if (guidance !== null) {
    using made = /^(small\d|scratch)$/.test(guidance.module)
      ? networkGuidance(base, smallNetwork(base), guidance)
      : makeGuidance(base, guidance, 0);
    disturb(made.weights, 2);
    made.save(join(out, stage));
  }
  finish(out, stage, { trained: guidance !== null, steps: GUIDANCE_STEPS });
  return whole;
}

/** Of another size than the base, but tiny: the reference's smallest has millions of parameters. */
const smallNetwork = ({ config }: UNet2DConditionModel): UNet2DConditionModel =>
  UNet2DConditionModel.seeded({ ...config, layers_per_block: 1 }, 3);

/** Moves every tensor a little, as training would: by a share of its own spread, or of a usual one where it is zero. */
function disturb(weights: ReadonlyMap<string, Tensor>, seed: number): void {
  const generator = new Generator().manualSeed(seed);
  noGrad(() =>
    scope(() => {
      for (const value of weights.values())
        value.add_(randn([...value.shape], { generator }), { alpha: 0.05 });
    }),
  );
}

const finish = (out: string, stage: string, result: Record<string, unknown>): void =>
  writeManifest(join(out, stage), {
    ...{ stage, key: stage, inputs: {}, needs: {}, seed: 0, versions: {}, result },
    ...{ startedAt: new Date(0).toISOString(), seconds: 1, peakMemoryBytes: 1 },
  });
