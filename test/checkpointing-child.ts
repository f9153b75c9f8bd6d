// Peak memory of a training step, first with gradient checkpointing and then without: prints megabytes above the start.
import { UNet2DConditionModel } from "../src/models/index.ts";
import { CheckpointTape, withTape } from "../src/nn/index.ts";
import { Generator, randn, scope, setNumThreads } from "../src/torch/index.ts";

setNumThreads(1);
const unet = UNet2DConditionModel.seeded(
  {
    block_out_channels: [32, 32],
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    attention_head_dim: 4,
    cross_attention_dim: 32,
  },
  0,
);
const generator = new Generator().manualSeed(0);
const [xs, context] = [randn([16, 4, 32, 32], { generator }), randn([16, 8, 32], { generator })];
const megabytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

function step(tape?: CheckpointTape): void {
  scope(() => {
    const loss = withTape(tape, () => unet.forward(xs, 500, context).square().mean());
    loss.backward();
    tape?.backward();
  });
  unet.zeroGrad();
}

const start = process.memoryUsage.rss();
const peak = (): number => megabytes(process.resourceUsage().maxRSS * 1024 - start);
using tape = new CheckpointTape();
step(tape);
const checkpointed = peak();
step();
process.stdout.write(JSON.stringify({ checkpointed, plain: peak() }));
