// Stable Diffusion 1.4's U-Net in its full size, weights by formula. Golden: fullsize-sd14-unet. On a card only: the formula
// is worked out there in float64, which takes a processor a minute.
import { STABLE_DIFFUSION_1_4, UNet2DConditionModel } from "../../../src/models/index.ts";
import { buildFromTensors, ParamStore } from "../../../src/nn/index.ts";
import { arange, type Device, keep, noGrad, scope, tensor, type Tensor } from "../../../src/torch/index.ts";
import { type Checks, Fixture, inPrecision, relativeError } from "./checks.ts";
import { FULL_SIZE, LIMITS } from "./tolerances.ts";

/** The weights of make_golden.py: the i-th tensor by name is waves of its own phase, matrices scaled by fan-in. */
function formula(
  key: string,
  shape: readonly number[],
  { i, device }: { i: number; device: Device },
): Tensor {
  return scope(() => {
    const count = shape.reduce((a, b) => a * b, 1);
    const angles = arange(0, count, 1, { dtype: "float64", device })
      .mul_(12.9898)
      .add_((i % 97) * 78.233);
    const v = angles
      .sin()
      .mul_(43758.5453)
      .frac()
      .mul_(1.7320508)
      .view([...shape]);
    if (shape.length > 1) {
      const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
      return v.mul_(0.7 / Math.sqrt(fanIn)).to("float32");
    }
    return (key.endsWith("weight") ? v.mul_(0.1).add_(1) : v.mul_(0.02)).to("float32");
  });
}

function makeUnet(device: Device): UNet2DConditionModel {
  using shapes = new UNet2DConditionModel(ParamStore.shapesOnly(), STABLE_DIFFUSION_1_4.unet);
  const sorted = [...shapes.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  const tensors = sorted.map(
    ([key, { shape }], i) => [key, keep(formula(key, shape, { i, device }))] as const,
  );
  const unet = buildFromTensors(
    new Map(tensors),
    (vs) => new UNet2DConditionModel(vs, STABLE_DIFFUSION_1_4.unet),
  );
  // Weights of convolutions are laid out as the card likes them, as when a checkpoint is loaded.
  return unet.toMemoryFormat_("channels_last").eval();
}

/** One forward pass at 64 x 64, in float32 and in bfloat16. */
export function checkFullSize(checks: Checks): void {
  const { device } = checks;
  using fixture = new Fixture("fullsize-sd14-unet.safetensors");
  using unet = makeUnet(device);
  noGrad(() =>
    scope(() => {
      const double = { dtype: "float64", device } as const;
      const latents = arange(0, 4 * 64 * 64, 1, double)
        .mul(0.7)
        .sin()
        .to("float32")
        .view([1, 4, 64, 64]);
      const states = arange(0, 77 * 768, 1, double)
        .mul(0.3)
        .cos()
        .to("float32")
        .view([1, 77, 768]);
      const timestep = tensor([501], { dtype: "int64", device });
      for (const precision of ["float32", "bfloat16"] as const) {
        const output = inPrecision({ ...checks, precision }, () => unet.forward(latents, timestep, states));
        const error = relativeError(output, fixture.get("output"));
        const limit = precision === "float32" ? FULL_SIZE : LIMITS.bfloat16.output;
        checks.within(`fullsize: U-Net output, ${precision}`, "64 x 64", error, limit);
      }
    }),
  );
}
