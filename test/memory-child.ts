// A dozen training steps in a process of their own, for the memory estimate: prints the highest resident bytes.
//   node --import tsx test/memory-child.ts '{"unet":{..},"batchSize":8,...}'
import { GuidedDenoiser } from "../src/method/index.ts";
import { UNet2DConditionModel, type UNetConfig } from "../src/models/index.ts";
import { AdamW, CheckpointTape, Ema, Lora, withTape } from "../src/nn/index.ts";
import type { Denoiser } from "../src/pipelines/index.ts";
import { autocast, type DType, Generator, randn, scope, setNumThreads, tensor } from "../src/torch/index.ts";

export interface MemoryCase {
  readonly unet: Partial<UNetConfig>;
  readonly batchSize: number;
  /** Height and width of the latents. */
  readonly size: number;
  readonly textTokens: number;
  /** What is trained: the network, adapters in it, or a copy beside it. */
  readonly kind: "base" | "lora" | "copy";
  readonly precision: DType;
  readonly gradientCheckpointing: boolean;
}

const given = JSON.parse(process.argv[2]!) as MemoryCase;
const { batchSize, size, textTokens, kind, precision } = given;
setNumThreads(1);
const unet = UNet2DConditionModel.seeded(given.unet, 0);
const [denoiser, weights] = trained();
const optimizer = new AdamW(weights, { lr: 1e-4 });
const ema = new Ema(weights, { decay: 0.99 });
const generator = new Generator().manualSeed(0);
const width = unet.config.cross_attention_dim as number;
for (let step = 0; step < 12; step++) {
  using tape = given.gradientCheckpointing ? new CheckpointTape() : undefined;
  scope(() => {
    const [sample, noise] = [0, 1].map(() => randn([batchSize, 4, size, size], { generator }));
    const states = randn([batchSize, textTokens, width], { generator });
    const timesteps = tensor(
      Array.from({ length: batchSize }, (_, i) => 10 * i),
      { dtype: "int64" },
    );
    const forward = () => denoiser.forward(sample!, timesteps, states);
    const measure = () =>
      autocast({ dtype: precision, enabled: precision !== "float32" }, forward)
        .sub(noise!)
        .square()
        .mean();
    (tape ? withTape(tape, measure) : measure()).backward();
    tape?.backward();
  });
  optimizer.step();
  ema.step();
  optimizer.zeroGrad();
}
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));

function trained(): [Denoiser, ReturnType<UNet2DConditionModel["stateDict"]>] {
  if (kind === "base") return [unet, unet.requiresGrad_(true).stateDict()];
  unet.requiresGrad_(false);
  if (kind === "lora") {
    const lora = new Lora(unet, { rank: 8 });
    const module = { kind, lora } as const;
    return [
      new GuidedDenoiser(unet, module, { form: "difference", strength: 1 }),
      new Map(lora.namedParameters()),
    ];
  }
  const network = unet.clone().requiresGrad_(true);
  const module = { kind: "network", network } as const;
  return [new GuidedDenoiser(unet, module, { form: "residual", strength: 1 }), network.stateDict()];
}
