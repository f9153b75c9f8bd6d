// What tools/python/check_saved.py loads: pipelines in all forms, LoRA adapters, InvDiff checkpoints, all dtypes.
import { join } from "node:path";
import { writeSafetensors } from "../../src/checkpoint/index.ts";
import {
  loadUnet,
  saveInvdiffCheckpoint,
  type SaveOptions,
  UNet2DConditionModel,
} from "../../src/models/index.ts";
import { Lora } from "../../src/nn/index.ts";
import { loadPipeline, saveModelFolder } from "../../src/pipelines/index.ts";
import { loadScheduler } from "../../src/schedulers/index.ts";
import { type DType, Generator, noGrad, randn, scope, tensor } from "../../src/torch/index.ts";
import { golden } from "../../test/golden-dir.ts";

const FORMS: Readonly<Record<string, SaveOptions>> = {
  pipeline: {},
  sharded: { maxShardBytes: 50_000 },
  fp16: { variant: "fp16", dtype: "float16" },
  "fp16-sharded": { variant: "fp16", dtype: "float16", maxShardBytes: 50_000 },
  bfloat16: { dtype: "bfloat16" },
};

/** Everything, below `folder`. */
export function writeForPython(folder: string): void {
  for (const kind of ["sd1", "sd2"]) {
    writePipelines(kind, join(folder, kind));
    writeLora(kind, join(folder, kind, "lora"));
  }
  writeInvdiff(join(folder, "invdiff"));
  writeDTypes(join(folder, "dtypes.safetensors"));
}

function writePipelines(kind: string, folder: string): void {
  const source = golden(`tiny-${kind}`);
  const { parts } = loadPipeline(source);
  const [tokenizer, scheduler] = [join(source, "tokenizer"), loadScheduler(join(source, "scheduler"))];
  for (const [form, options] of Object.entries(FORMS))
    saveModelFolder(join(folder, form), { ...parts, tokenizer, scheduler }, options);
  for (const model of [parts.unet, parts.vae, parts.textEncoder]) model[Symbol.dispose]();
}

/** Inputs of a U-Net: two samples, two timesteps, seven text states. */
export function inputsFor({ config }: UNet2DConditionModel) {
  const generator = new Generator().manualSeed(5);
  const size = config.sample_size as number;
  return {
    sample: randn([2, config.in_channels, size, size], { generator }),
    timesteps: tensor([3, 700], { dtype: "int64" }),
    states: randn([2, 7, config.cross_attention_dim as number], { generator }),
  };
}

/** One prediction. */
export const run = (
  unet: UNet2DConditionModel,
  { sample, timesteps, states }: ReturnType<typeof inputsFor>,
) => noGrad(() => unet.forward(sample, timesteps, states));

function writeLora(kind: string, folder: string): void {
  using unet = loadUnet(golden(`tiny-${kind}/unet`));
  using lora = new Lora(unet, { rank: 4, alpha: 8, targets: (path) => /\.to_[qkv]$|\.conv1$/.test(path) });
  scope(() => {
    // The second halves are zero at first; the adapters must change something.
    const generator = new Generator().manualSeed(6);
    noGrad(() => {
      for (const value of lora.parameters()) value.copy_(randn([...value.shape], { generator }).mul(0.2));
    });
    const inputs = inputsFor(unet);
    const outputs = { base: lora.withScale(0, () => run(unet, inputs)), adapted: run(unet, inputs) };
    writeSafetensors(join(folder, "expected.safetensors"), { ...inputs, ...outputs });
    const file = join(folder, "pytorch_lora_weights.safetensors");
    writeSafetensors(file, lora.stateDict({ prefix: "unet" }), lora.metadata({ prefix: "unet" }));
  });
}

function writeInvdiff(folder: string): void {
  using base = loadUnet(golden("tiny-sd2/unet"));
  const small = { ...base.config, block_out_channels: [8, 16], attention_head_dim: 2 };
  using delta = UNet2DConditionModel.seeded(small, 1);
  const ratio = 0.4;
  saveInvdiffCheckpoint(folder, { step: 2000, base, delta, args: { delta_ratio: ratio } });
  saveInvdiffCheckpoint(folder, { step: 10, base });
  scope(() => {
    const inputs = inputsFor(base);
    const [b, d] = [run(base, inputs), run(delta, inputs)];
    const outputs = {
      "output.base": b,
      "output.delta": d,
      "output.guided": d.mul(ratio).add(b, { alpha: 1 - ratio }),
    };
    const weights = Object.fromEntries(delta.stateDict());
    writeSafetensors(join(folder, "expected.safetensors"), { ...inputs, ...outputs, ...weights });
  });
}

function writeDTypes(path: string): void {
  const floats: DType[] = ["float64", "float32", "float16", "bfloat16"];
  const signed: DType[] = [...floats, "int64", "int32", "int16", "int8"];
  scope(() => {
    const tensors = signed.map((dtype) => [dtype, tensor([-2, 0, 1], { dtype })] as const);
    const uint8 = tensor([0, 1, 2], { dtype: "uint8" });
    writeSafetensors(path, {
      ...Object.fromEntries(tensors),
      uint8,
      bool: tensor([1, 0, 1], { dtype: "bool" }),
    });
  });
}
