// The memory tables of docs/gpu.md: what Stable Diffusion 1.4 at 512 px needs on a card by option, from the estimate that
// every training prints beforehand. `node --import tsx tools/gpu-memory-table.ts`
import { memoryEstimate, type TrainingMemory } from "../src/experiment/preflight/index.ts";
import {
  guidanceUnetConfig,
  STABLE_DIFFUSION_1_4,
  UNet2DConditionModel,
  type UNetConfig,
  unetConfig,
} from "../src/models/index.ts";
import { Conv2d, Linear, ParamStore } from "../src/nn/index.ts";

const BATCHES = [1, 4, 8, 16, 32, 64];
const RANK = 8;
const SIZE = { height: 64, width: 64, textTokens: 77 };

const base = unetConfig(STABLE_DIFFUSION_1_4.unet);
const small2 = unetConfig(guidanceUnetConfig("small2", base));
/** Shapes without memory: nothing is allocated for 860 million parameters. */
const shapes = (config: UNetConfig) => new UNet2DConditionModel(ParamStore.shapesOnly(), config);
const full = shapes(base).parameterCount();

/** Numbers in adapters of every layer, and in those layers' weights. */
function adapters(): { trained: number; adapted: number } {
  let [trained, adapted] = [0, 0];
  for (const [, layer] of shapes(base).namedModules()) {
    if (!(layer instanceof Linear || layer instanceof Conv2d)) continue;
    const [out, ...input] = layer.weight.value.shape as [number, ...number[]];
    const width = input.reduce((a, b) => a * b, 1);
    trained += RANK * (out + width);
    adapted += out * width;
  }
  return { trained, adapted };
}

type Row = Omit<TrainingMemory, "batchSize" | "height" | "width" | "textTokens" | "onCuda">;

const common = { unet: base, trained: full, ema: false } as const;
const rows: readonly (readonly [string, Row])[] = [
  ["full training, float32", { ...common, precision: "float32" }],
  ["full training, bfloat16", { ...common, precision: "bfloat16" }],
  ["the same with libtorch's GroupNorm", { ...common, precision: "bfloat16", fusedNorm: false }],
  ["full training, bfloat16, averaged weights", { ...common, precision: "bfloat16", ema: true }],
  [
    "full training, bfloat16, checkpointing",
    { ...common, precision: "bfloat16", gradientCheckpointing: true },
  ],
  ["guidance: copy, bfloat16", { ...common, frozen: full, precision: "bfloat16" }],
  [
    "guidance: small2, bfloat16",
    {
      unet: small2,
      trained: shapes(small2).parameterCount(),
      frozen: full,
      ema: false,
      precision: "bfloat16",
    },
  ],
  [
    `guidance: adapters of rank ${RANK}, bfloat16`,
    { unet: base, ...adapters(), frozen: full, ema: false, precision: "bfloat16" },
  ],
  [
    `guidance: adapters of rank ${RANK}, bfloat16, checkpointing`,
    {
      ...{ unet: base, ...adapters(), frozen: full, ema: false, precision: "bfloat16" },
      gradientCheckpointing: true,
    },
  ],
];

const gigabytes = (row: Row, batchSize: number): string =>
  (memoryEstimate({ fusedNorm: true, ...row, batchSize, ...SIZE, onCuda: true }).total / 1e9).toFixed(1);

const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
console.log(line(["GB at batch", ...BATCHES.map(String)]));
console.log(line(["---", ...BATCHES.map(() => "---")]));
for (const [name, row] of rows) console.log(line([name, ...BATCHES.map((size) => gigabytes(row, size))]));
