// Exports of runs for tools/python/check_saved.py, with what the runs themselves predict.
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../../src/checkpoint/index.ts";
import { exportRun } from "../../src/experiment/export/index.ts";
import {
  attachLora,
  type GuidanceSettings,
  loadGuidance,
} from "../../src/experiment/stages/guidance-model.ts";
import { loadUnet } from "../../src/models/index.ts";
import { keep, noGrad, scope } from "../../src/torch/index.ts";
import { COPY, finishedRun, LORA } from "../../test/finished-run.ts";
import { inputsFor, run as predict } from "./write-models.ts";

const FORMS: Readonly<Record<string, GuidanceSettings>> = {
  lora: LORA,
  "lora-attention": { ...LORA, targets: ["attn1", "attn2"] },
  copy: COPY,
  blend: { ...COPY, form: "blend", ratio: 0.4 },
  residual: { ...COPY, form: "residual" },
};

/** Below `folder`, for each kind of model and form: expected.safetensors and the exports that the form has. */
export async function writeExports(folder: string): Promise<void> {
  for (const kind of ["sd1", "sd2"])
    for (const [form, guidance] of Object.entries(FORMS))
      await writeForm(join(folder, kind, form), `tiny-${kind}`, guidance);
}

async function writeForm(folder: string, model: string, guidance: GuidanceSettings): Promise<void> {
  const run = join(folder, "run");
  finishedRun(run, { model, guidance });
  writeExpected(run, join(folder, "expected.safetensors"), guidance);
  const isLora = guidance.module === "lora";
  await exportRun({ run: join(run, "base"), to: join(folder, "base"), as: "merged" });
  await exportRun({ run, to: join(folder, "invdiff"), as: "invdiff" });
  if (guidance.form === "difference") await exportRun({ run, to: join(folder, "merged"), as: "merged" });
  if (!isLora) return;
  await exportRun({ run, to: join(folder, "lora"), as: "lora" });
  await exportRun({ run, to: join(folder, "lora-half"), as: "lora", strength: 0.5 });
  await exportRun({ run, to: join(folder, "merged-half"), as: "merged", strength: 0.5 });
}

/** Inputs, and predictions: `base`, `guided`, of adapters also `half`, at half their scale. */
function writeExpected(run: string, path: string, guidance: GuidanceSettings): void {
  const dir = join(run, "guidance");
  const open = () => loadUnet(join(run, "base", "unet"));
  scope(() => {
    using unet = open();
    const inputs = inputsFor(unet);
    const base = predict(unet, inputs);
    using model = loadGuidance(unet, dir);
    const { sample, timesteps, states } = inputs;
    const guided = noGrad(() => model.denoiser.forward(sample, timesteps, states));
    const expected = { ...inputs, base, guided };
    if (guidance.module !== "lora") return writeSafetensors(path, expected);
    using other = open();
    const file = join(dir, "lora.safetensors");
    const { targets: names } = guidance;
    const targets = (layer: string) => names?.some((name) => layer.includes(name)) ?? true;
    using lora = attachLora(other, readSafetensors(file), { file, rank: guidance.rank, targets });
    const half = lora.withScale(0.5, () => keep(predict(other, inputs)));
    writeSafetensors(path, { ...expected, half });
  });
}
