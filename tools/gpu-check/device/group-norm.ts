// Group normalisation with SiLU on the device (the project's own kernel on a card) against float64 on the processor.
import { GroupNorm, ParamStore } from "../../../src/nn/index.ts";
import {
  type DType,
  Generator,
  isChannelsLast,
  kernelProblem,
  noGrad,
  randn,
  scope,
  type Tensor,
} from "../../../src/torch/index.ts";
import { type Checks, gradientOf, relativeError } from "../parity/checks.ts";
import { holds } from "./truth.ts";

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly silu: boolean;
}

/** Channels, groups and sizes of Stable Diffusion's U-Net and autoencoder, and odd ones. */
const CASES: readonly Case[] = [
  { shape: [1, 320, 64, 64], silu: true },
  { shape: [2, 1280, 8, 8], silu: true },
  { shape: [1, 640, 32, 32], silu: false },
  { shape: [1, 128, 96, 96], silu: true },
  { shape: [3, 96, 7, 5], silu: true },
];
const GROUPS = 32;

/**
 * Outputs: the rounding of the result (2^-9 in bfloat16, 2^-11 in float16), for float32 the sums over a group's 41,000
 * numbers and the exponential. Gradients add the rounded products of a group, those of the weights of all pixels.
 */
const LIMITS: Readonly<Record<string, { readonly output: number; readonly gradient: number }>> = {
  float32: { output: 5e-6, gradient: 5e-5 },
  bfloat16: { output: 4e-3, gradient: 1e-2 },
  float16: { output: 1e-3, gradient: 4e-3 },
};

interface Results {
  readonly output: Tensor;
  readonly gradients: Readonly<Record<"input" | "weight" | "bias", Tensor>>;
}

/** Weights stay float32 beside a narrower input, as under autocast. */
function run(input: Tensor, cotangent: Tensor, { dtype, silu }: { dtype: DType; silu: boolean }): Results {
  const channels = input.shape[1]!;
  const norm = new GroupNorm(ParamStore.seeded({ device: input.device, dtype }), GROUPS, channels);
  const draw = (seed: number) => randn([channels], { generator: new Generator().manualSeed(seed) });
  noGrad(() =>
    scope(() => {
      norm.weight.value.copy_(draw(11).mul(0.3).add(1));
      norm.bias.value.copy_(draw(12).mul(0.3));
    }),
  );
  norm.requiresGrad_();
  const xs = input.detach().requiresGrad_();
  const output = norm.forward(xs, { silu });
  output.backward(cotangent);
  const [weight, bias] = [gradientOf(norm.weight.value), gradientOf(norm.bias.value)];
  const gradients = { input: gradientOf(xs), weight, bias };
  norm[Symbol.dispose]();
  return { output: output.detach(), gradients };
}

export function checkGroupNorm(checks: Checks): void {
  const { device, within } = checks;
  if (device.startsWith("cuda")) {
    const problem = kernelProblem(device);
    holds(checks, "group norm: own kernels", problem ?? "in use", problem === undefined);
  }
  for (const { shape, silu } of CASES)
    for (const [dtype, limit] of Object.entries(LIMITS))
      scope(() => {
        const at = `[${shape.join(", ")}]${silu ? " with SiLU" : ""}`;
        const draw = (seed: number) =>
          randn(shape, { generator: new Generator().manualSeed(seed) })
            .mul(2)
            .add(0.5)
            .to(dtype);
        // Rounded first, so that both sides are given the same numbers.
        const [input, cotangent] = [draw(1), draw(2)];
        const exact = run(input.to("float64"), cotangent.to("float64"), { dtype: "float64", silu });
        const last = (xs: Tensor) => xs.to(device).contiguous({ memoryFormat: "channels_last" });
        const own = run(last(input), last(cotangent), { dtype: "float32", silu });
        const rowOf = (what: string) => `group norm: ${what}, ${dtype}`;
        holds(checks, "group norm: channels last", `${at}, ${dtype}`, isChannelsLast(own.output));
        within(rowOf("output"), at, relativeError(own.output, exact.output), limit.output);
        for (const [name, gradient] of Object.entries(own.gradients)) {
          const error = relativeError(gradient, exact.gradients[name as "input"]);
          within(rowOf(`gradient of the ${name}`), at, error, limit.gradient);
        }
      });
}
