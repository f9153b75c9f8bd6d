// Every kernel of scaled dot product attention that the device has, in bfloat16, against float64 on the processor.
import {
  type AttentionKernels,
  attentionKernels,
  Generator,
  randn,
  scaledDotProductAttention,
  scope,
  setAttentionKernels,
  type Tensor,
  TorchError,
} from "../../../src/torch/index.ts";
import { type Checks, gradientOf, relativeError } from "../parity/checks.ts";
import { holds } from "./truth.ts";

/** [batch, heads, tokens, channels]: pixels of the U-Net's second level among themselves, and against 77 words. */
const SHAPES = [
  { queries: [1, 4, 1024, 80], keys: [1, 4, 1024, 80] },
  { queries: [1, 4, 1024, 80], keys: [1, 4, 77, 80] },
] as const;
/** One rounding to 8 bits (2^-9) of the scores or of their softmax, and of the result; a backward pass has three of them. */
const OUTPUT = 2e-2;
const GRADIENT = 4e-2;

const NONE: AttentionKernels = { flash: false, cudnn: false, memoryEfficient: false, math: false };

interface Given {
  readonly parts: readonly [query: Tensor, key: Tensor, value: Tensor];
  readonly cotangent: Tensor;
}

/** Output and the three gradients. */
function attend({ parts, cotangent }: Given): Tensor[] {
  const [query, key, value] = parts.map((part) => part.detach().requiresGrad_()) as [Tensor, Tensor, Tensor];
  const output = scaledDotProductAttention(query, key, value);
  output.backward(cotangent);
  return [output.detach(), ...[query, key, value].map(gradientOf)];
}

export function checkAttention(checks: Checks): void {
  const { device, within } = checks;
  const before = attentionKernels();
  let worked = 0;
  try {
    for (const { queries, keys } of SHAPES)
      scope(() => {
        const draw = (shape: readonly number[], seed: number) =>
          randn(shape, { generator: new Generator().manualSeed(seed) }).to("bfloat16");
        const parts = [draw(queries, 1), draw(keys, 2), draw(keys, 3)] as const;
        const cotangent = draw(queries, 4);
        const wide = (xs: Tensor) => xs.to("float64");
        const exact = attend({
          parts: [wide(parts[0]), wide(parts[1]), wide(parts[2])],
          cotangent: wide(cotangent),
        });
        const own = {
          parts: parts.map((part) => part.to(device)) as [Tensor, Tensor, Tensor],
          cotangent: cotangent.to(device),
        };
        for (const kernel of Object.keys(NONE)) {
          setAttentionKernels({ ...NONE, [kernel]: true });
          const got = attended(own);
          if (got === undefined) continue;
          worked++;
          const at = `${kernel}, ${keys[2]} keys`;
          got.forEach((xs, i) => {
            const row = i === 0 ? "attention: output, bfloat16" : "attention: gradients, bfloat16";
            within(row, at, relativeError(xs, exact[i]!), i === 0 ? OUTPUT : GRADIENT);
          });
        }
      });
  } finally {
    setAttentionKernels(before);
  }
  holds(checks, "attention: kernels", "one works at least", worked > 0);
}

/** Undefined where the device has no such kernel for these shapes. */
function attended(given: Given): Tensor[] | undefined {
  try {
    return attend(given);
  } catch (error) {
    if (error instanceof TorchError && /No available kernel|no viable backend/i.test(error.message))
      return undefined;
    throw error;
  }
}
