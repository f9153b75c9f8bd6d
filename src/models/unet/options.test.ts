// U-Nets with every supported option away from its default, against diffusers (tools/golden/unet-options.py, -variants.py).
import { describe, expect, it } from "vitest";
import { fill, wave } from "../../../test/closed-form.ts";
import { ownGolden } from "../../../test/own-golden.ts";
import { relativeError } from "../../../test/tensors.ts";
import { scope, tensor } from "../../torch/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { UNetConfig } from "./index.ts";
import { UNet2DConditionModel } from "./index.ts";

/** Output, gradient of the input and the norm of every parameter's gradient, for the timesteps 3 and 700. */
function expectParity(config: UNetConfig, expected: (key: string) => Tensor, inputs: [Tensor, Tensor]): void {
  using model = fill(UNet2DConditionModel.seeded(config, 0));
  const [sample, states] = inputs;
  const out = model.forward(sample.requiresGrad_(), tensor([3, 700], { dtype: "int64" }), states);
  expect(relativeError(out, expected("output"))).toBeLessThan(1e-5);
  out.backward(wave(out.shape, 3));
  // Processors round differently: 1e-5 lies between float32 and float64 already.
  expect(relativeError(sample.grad!, expected("grad.sample"))).toBeLessThan(1e-4);
  for (const [key, value] of model.namedParameters()) {
    const norm = expected(`gradnorm.${key}`).item();
    expect(Math.abs(value.grad!.norm().item() - norm)).toBeLessThan(1e-4 * norm + 1e-5);
  }
}

describe("UNet2DConditionModel", () => {
  it("equals diffusers with all options changed, on an odd size", () => {
    const { get, json } = ownGolden("unet-options");
    scope(() =>
      expectParity(json("config") as UNetConfig, get, [wave([2, 3, 9, 11], 1), wave([2, 4, 6], 2)]),
    );
  });

  it.each(["no-middle", "plain-middle", "only-cross-attention", "cross-attention-of-levels"])(
    "equals diffusers: %s",
    (name) => {
      const { get, json, keys } = ownGolden("unet-variants");
      const config = json(name) as UNetConfig;
      scope(() => {
        const inputs: [Tensor, Tensor] = [wave([2, 4, 8, 8], 1), wave([2, 5, 6], 2)];
        expectParity(config, (key) => get(`${name}.${key}`), inputs);
      });
      using model = UNet2DConditionModel.seeded(config, 0);
      const norms = keys.filter((key) => key.startsWith(`${name}.gradnorm.`));
      expect(norms).toHaveLength(model.parameters().length);
    },
  );

  it("takes one timestep for the whole batch, as a number or a tensor", () => {
    scope(() => {
      const tiny = {
        block_out_channels: [8],
        down_block_types: ["DownBlock2D"],
        up_block_types: ["UpBlock2D"],
      } as const;
      using model = UNet2DConditionModel.seeded({ ...tiny, norm_num_groups: 4, cross_attention_dim: 4 }, 0);
      const [sample, states] = [wave([2, 4, 4, 4], 0), wave([2, 3, 4], 1)];
      const each = model.forward(sample, tensor([7, 7], { dtype: "int64" }), states).toNumbers();
      expect(model.forward(sample, 7, states).toNumbers()).toEqual(each);
      expect(model.forward(sample, tensor(7), states).toNumbers()).toEqual(each);
    });
  });
});
