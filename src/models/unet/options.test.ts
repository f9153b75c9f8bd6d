// A U-Net with every supported option away from its default, against diffusers (tools/golden/unet-options.py).
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { relativeError } from "../../../test/tensors.ts";
import { readSafetensors, readSafetensorsHeader } from "../../checkpoint/index.ts";
import { noGrad, scope, tensor } from "../../torch/index.ts";
import type { UNetConfig } from "./index.ts";
import { UNet2DConditionModel } from "./index.ts";

const path = fileURLToPath(new URL("../../../test/golden/unet-options.safetensors", import.meta.url));
const wave = (shape: readonly number[], phase: number) =>
  Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 0.7 + phase));
const waveTensor = (shape: number[], phase: number) =>
  tensor(wave(shape, phase), { shape, dtype: "float32" });

/** The closed formula of the script. */
function fill(model: UNet2DConditionModel): void {
  const sorted = [...model.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  noGrad(() =>
    sorted.forEach(([key, value], i) => {
      const gain = 1.2 / Math.sqrt(value.shape.slice(1).reduce((a, b) => a * b, 1));
      const of = (v: number) => (value.ndim > 1 ? gain * v : key.endsWith("weight") ? 1 + 0.1 * v : 0.05 * v);
      value.copy_(tensor(wave(value.shape, i).map(of), { shape: [...value.shape] }));
    }),
  );
}

describe("UNet2DConditionModel", () => {
  it("equals diffusers with all options changed, on an odd size", () => {
    const golden = readSafetensors(path);
    const config = JSON.parse(readSafetensorsHeader(path).metadata["config"]!) as UNetConfig;
    scope(() => {
      using model = UNet2DConditionModel.seeded(config, 0);
      fill(model);
      const sample = waveTensor([2, 3, 9, 11], 1).requiresGrad_();
      const out = model.forward(sample, tensor([3, 700], { dtype: "int64" }), waveTensor([2, 4, 6], 2));
      expect(relativeError(out, golden.get("output")!)).toBeLessThan(1e-5);
      out.backward(waveTensor([...out.shape], 3));
      expect(relativeError(sample.grad!, golden.get("grad.sample")!)).toBeLessThan(1e-5);
      for (const [key, value] of model.namedParameters()) {
        const norm = golden.get(`gradnorm.${key}`)!.item();
        expect(Math.abs(value.grad!.norm().item() - norm)).toBeLessThan(1e-4 * norm + 1e-5);
      }
    });
  });

  it("takes one timestep for the whole batch, as a number or a tensor", () => {
    scope(() => {
      const tiny = {
        block_out_channels: [8],
        down_block_types: ["DownBlock2D"],
        up_block_types: ["UpBlock2D"],
      } as const;
      using model = UNet2DConditionModel.seeded({ ...tiny, norm_num_groups: 4, cross_attention_dim: 4 }, 0);
      const [sample, states] = [waveTensor([2, 4, 4, 4], 0), waveTensor([2, 3, 4], 1)];
      const each = model.forward(sample, tensor([7, 7], { dtype: "int64" }), states).toNumbers();
      expect(model.forward(sample, 7, states).toNumbers()).toEqual(each);
      expect(model.forward(sample, tensor(7), states).toNumbers()).toEqual(each);
    });
  });
});
