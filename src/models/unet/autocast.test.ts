import { describe, expect, it } from "vitest";
import { golden } from "../../../test/golden-dir.ts";
import { relativeError } from "../../../test/tensors.ts";
import { readSafetensors } from "../../checkpoint/index.ts";
import { autocast, cat, scope } from "../../torch/index.ts";
import type { DType, Tensor } from "../../torch/index.ts";
import { loadUnet } from "../load.ts";

describe("the U-Net under autocast, with weights in float32", () => {
  const unet = loadUnet(golden("tiny-sd1/unet"));
  const given = readSafetensors(golden("models-sd1.safetensors"));
  const get = (key: string) => given.get(key)!;

  function run(dtype: DType | undefined): { out: Tensor; loss: number; gradient: Tensor } {
    return scope(() => {
      const out = autocast({ dtype, enabled: dtype !== undefined }, () =>
        unet.forward(get("unet.sample"), get("unet.timestep"), get("unet.encoder_hidden_states")),
      );
      expect(out.dtype).toBe(dtype ?? "float32");
      const loss = out.to("float32").sub(get("unet.output_cotangent")).square().mean();
      unet.zeroGrad();
      loss.backward();
      const gradient = cat(unet.parameters().map(({ grad }) => grad!.flatten()));
      return { out: out.detach(), loss: loss.item(), gradient };
    });
  }
  const exact = run(undefined);

  // Python's own autocast is as far from float32: output 0.0142 and 0.0019, gradient 0.025 and 0.0033 (torch 2.13, CPU).
  it.each([
    ["bfloat16", 0.03, 0.06],
    ["float16", 0.005, 0.01],
  ] as const)("%s: output, loss and gradients are close, and finite", (dtype, outputLimit, gradientLimit) => {
    const { out, loss, gradient } = run(dtype);
    expect(gradient.dtype).toBe("float32");
    expect(gradient.isfinite().all().item()).toBe(1);
    expect(Math.abs(loss / exact.loss - 1)).toBeLessThan(1e-2);
    expect(relativeError(out, exact.out)).toBeLessThan(outputLimit);
    expect(relativeError(gradient, exact.gradient)).toBeLessThan(gradientLimit);
    // It really computed in the low precision.
    expect(relativeError(out, exact.out)).toBeGreaterThan(1e-4);
  });
});
