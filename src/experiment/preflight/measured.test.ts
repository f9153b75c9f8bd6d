// The memory estimate beside the highest resident memory of real steps, each in a process of its own.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { MemoryCase } from "../../../test/memory-child.ts";
import { UNet2DConditionModel, unetConfig } from "../../models/index.ts";
import { Lora, ParamStore } from "../../nn/index.ts";
import { memoryEstimate } from "./memory.ts";

const CHILD = fileURLToPath(new URL("../../../test/memory-child.ts", import.meta.url));
const ALLOWED = 0.3;

const TINY = {
  ...{ block_out_channels: [16, 32, 32, 32], cross_attention_dim: 24, attention_head_dim: 4 },
  norm_num_groups: 8,
};
const common = { unet: TINY, batchSize: 32, size: 16, textTokens: 77, precision: "float32" } as const;

function estimated(given: MemoryCase): number {
  const model = new UNet2DConditionModel(ParamStore.shapesOnly(), given.unet);
  const parameters = model.parameterCount();
  using real = UNet2DConditionModel.seeded(given.unet, 0);
  using lora = new Lora(real, { rank: 8 });
  const { kind, size } = given;
  return memoryEstimate({
    ...{ ...given, unet: unetConfig(given.unet), height: size, width: size, ema: true },
    trained: kind === "lora" ? lora.parameterCount() : parameters,
    frozen: kind === "base" ? 0 : parameters,
    adapted: kind === "lora" ? parameters : 0,
  }).total;
}

// What an allocator keeps is the system's: the figures are those of Linux with glibc.
describe.skipIf(process.platform !== "linux")("the memory estimate", () => {
  it.each([
    { ...common, kind: "base", gradientCheckpointing: false },
    { ...common, kind: "lora", gradientCheckpointing: true },
  ] as MemoryCase[])(`is within ${100 * ALLOWED} % of what a training takes: %o`, (given) => {
    const options = { encoding: "utf8", env: { ...process.env, OMP_NUM_THREADS: "1" } } as const;
    const peak = Number(
      execFileSync(process.execPath, ["--import", "tsx", CHILD, JSON.stringify(given)], options),
    );
    const ratio = estimated(given) / peak;
    process.stdout.write(
      `memory of ${given.kind}: estimated ${ratio.toFixed(2)} times the ${peak / 1e6} MB measured\n`,
    );
    expect(Math.abs(ratio - 1)).toBeLessThan(ALLOWED);
  });
});
