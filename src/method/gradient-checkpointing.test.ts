import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { golden } from "../../test/golden-dir.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { loadUnet } from "../models/index.ts";
import { CheckpointTape, Lora, withTape } from "../nn/index.ts";
import type { Denoiser } from "../pipelines/index.ts";
import { autocast, Generator, randn, scope, type Tensor, tensor, tensorCount } from "../torch/index.ts";
import { type GuidanceModule, GuidedDenoiser } from "./guided-denoiser.ts";

const generator = new Generator().manualSeed(6);
const [latents, context, target] = [
  [4, 4, 16, 16],
  [4, 7, 24],
  [4, 4, 16, 16],
].map((shape) => randn(shape, { generator })) as [Tensor, Tensor, Tensor];
const timesteps = tensor(BigInt64Array.from([1n, 300n, 700n, 999n]));

const base = loadUnet(golden("tiny-sd1/unet"));
const network = base.clone();
base.requiresGrad_(false);
scope(() => network.parameters().forEach((p) => p.detach().mul_(1.01)));
const lora = new Lora(base, { rank: 2 });
scope(() => lora.parameters().forEach((p) => p.detach().copy_(randn([...p.shape], { generator }).mul(0.05))));

interface Outcome {
  readonly loss: number;
  readonly gradients: readonly (readonly number[])[];
}

function step(denoiser: Denoiser, parameters: readonly Tensor[], tape?: CheckpointTape): Outcome {
  const loss = scope(() => {
    const value = withTape(tape, () =>
      denoiser.forward(latents, timesteps, context).to("float32").sub(target).square().mean(),
    );
    value.backward();
    return value.item();
  });
  // Not the strength at which the adapters ran: the tape must know.
  lora.withScale(0, () => tape?.backward());
  const gradients = scope(() => parameters.map(({ grad }) => grad?.toNumbers() ?? []));
  for (const parameter of parameters) parameter.grad = undefined;
  return { loss, gradients };
}

const worst = (a: Outcome["gradients"], b: Outcome["gradients"]): number => {
  const norm = (values: readonly number[]) => Math.hypot(...values);
  const errors = b.map((own, i) => norm(own.map((x, j) => x - a[i]![j]!)) / (norm(own) + 1e-3));
  return Math.max(...errors);
};

describe("gradient checkpointing of the U-Net", () => {
  const trained: GuidanceModule = { kind: "network", network };
  const adapters: GuidanceModule = { kind: "lora", lora };
  const mixed: Denoiser = {
    forward: (sample, timesteps, states) =>
      autocast({ dtype: "bfloat16" }, () => network.forward(sample, timesteps, states)),
  };
  const half = { form: "difference", strength: 0.5 } as const;
  const cases: [string, Denoiser, Tensor[], number?][] = [
    ["fine-tuning", network, network.parameters()],
    ["a network, difference at strength 0.5", new GuidedDenoiser(base, trained, half), network.parameters()],
    [
      "a network, blend",
      new GuidedDenoiser(base, trained, { form: "blend", ratio: 0.8 }),
      network.parameters(),
    ],
    ["adapters, difference at strength 0.5", new GuidedDenoiser(base, adapters, half), lora.parameters()],
    [
      "adapters, difference at strength 1",
      new GuidedDenoiser(base, adapters, { form: "difference", strength: 1 }),
      lora.parameters(),
    ],
    // Gradients of what many segments share are added up in bfloat16, in another order.
    ["fine-tuning in bfloat16", mixed, network.parameters(), 0.05],
  ];

  it.each(cases)(
    "%s: the loss to the bit, the gradients, and no tensor left",
    (_, denoiser, parameters, tolerance = 1e-6) => {
      const plain = step(denoiser, parameters);
      using tape = new CheckpointTape();
      const first = step(denoiser, parameters, tape);
      expect(first.loss).toBe(plain.loss);
      expect(plain.gradients.every((values) => values.length > 0)).toBe(true);
      expect(worst(first.gradients, plain.gradients)).toBeLessThan(tolerance);
      const count = settledTensorCount();
      expect(step(denoiser, parameters, tape)).toEqual(first);
      expect(tensorCount()).toBe(count);
    },
  );

  it("takes less than 60 % of the memory", () => {
    const child = fileURLToPath(new URL("../../test/checkpointing-child.ts", import.meta.url));
    const out = execFileSync(process.execPath, ["--import", "tsx", child], { encoding: "utf8" });
    const { checkpointed, plain } = JSON.parse(out) as { checkpointed: number; plain: number };
    expect(plain).toBeGreaterThan(300);
    expect(checkpointed / plain).toBeLessThan(0.6);
  }, 60_000);
});
