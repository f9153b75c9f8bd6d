// Whole networks with the project's kernels in place of libtorch's group_norm and silu, as on a card: every normalisation
// is done by a kernel, on channels-last maps, and the golden numbers stay.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { readSafetensors } from "../../src/checkpoint/index.ts";
import { loadUnet, loadVae } from "../../src/models/index.ts";
import { autocast, type DType, isChannelsLast, noGrad, scope, type Tensor } from "../../src/torch/index.ts";
import { golden } from "../golden-dir.ts";
import { relativeError } from "../tensors.ts";
import { onCpu } from "./operators-on-cpu.ts";

interface Normalised {
  readonly dtype: DType;
  readonly silu: boolean;
  readonly channelsLast: boolean;
  readonly kept: boolean;
}
const seen: Normalised[] = [];
beforeEach(() => void (seen.length = 0));

vi.mock(import("../../src/torch/kernels.ts"), async (original) => {
  const real = await original();
  const { isChannelsLast: liesLast } = await import("../../src/torch/tensor.ts");
  return {
    ...real,
    kernelsInUse: () => true,
    fusedGroupNorm: (xs, numGroups, weight, bias, options) => {
      const y = real.fusedGroupNorm(xs, numGroups, weight, bias, options);
      const kept = y.dtype === xs.dtype && liesLast(y);
      seen.push({ dtype: xs.dtype, silu: options.silu, channelsLast: liesLast(xs), kept });
      return y;
    },
  };
});

const memoryFormat = "channels_last";

describe.skipIf(!onCpu).each(["sd1", "sd2"])("tiny-%s with the kernels", (kind) => {
  const given = readSafetensors(golden(`models-${kind}.safetensors`));
  const get = (key: string) => given.get(key)!;
  const inputs = (): [Tensor, Tensor, Tensor] => [
    get("unet.sample"),
    get("unet.timestep"),
    get("unet.encoder_hidden_states"),
  ];

  it("gives the U-Net's golden output and gradients", () => {
    using unet = loadUnet(golden(`tiny-${kind}/unet`), { memoryFormat });
    scope(() => {
      const out = unet.forward(...inputs());
      expect(seen.length).toBeGreaterThan(10);
      expect(seen.filter(({ channelsLast, kept }) => !channelsLast || !kept)).toEqual([]);
      expect(new Set(seen.map(({ silu }) => silu))).toEqual(new Set([true, false]));
      expect(isChannelsLast(out)).toBe(true);
      expect(relativeError(out, get("unet.output"))).toBeLessThan(1e-5);
      out.backward(get("unet.output_cotangent"));
      const parameters = new Map(unet.namedParameters());
      for (const [key, expected] of given) {
        if (key.startsWith("unet.grad.") && key !== "unet.grad.sample")
          expect(relativeError(parameters.get(key.slice(10))!.grad!, expected), key).toBeLessThan(1e-4);
      }
      for (const [key, value] of parameters) {
        const norm = get(`unet.gradnorm.${key}`).item();
        expect(Math.abs(value.grad!.norm().item() - norm) / (norm + 0.1), key).toBeLessThan(1e-4);
      }
    });
  });

  it("keeps bfloat16 from one convolution to the next under autocast", () => {
    using unet = loadUnet(golden(`tiny-${kind}/unet`), { memoryFormat });
    scope(() => {
      const exact = unet.forward(...inputs());
      seen.length = 0;
      const out = autocast({ dtype: "bfloat16" }, () => unet.forward(...inputs()));
      expect(
        seen.filter(({ dtype, channelsLast, kept }) => !channelsLast || !kept || dtype !== "bfloat16"),
      ).toEqual([]);
      expect(relativeError(out.to("float32"), exact)).toBeLessThan(0.03);
      out.to("float32").square().mean().backward();
      for (const [key, { grad }] of unet.namedParameters())
        expect([key, grad?.dtype, grad?.isfinite().all().item()]).toEqual([key, "float32", 1]);
    });
  });

  it("gives the autoencoder's golden moments and images", () => {
    using vae = loadVae(golden(`tiny-${kind}/vae`), { memoryFormat });
    noGrad(() =>
      scope(() => {
        const { mean, logvar } = vae.encode(get("vae.pixels"));
        expect(relativeError(mean, get("vae.mean"))).toBeLessThan(1e-5);
        expect(relativeError(logvar, get("vae.logvar"))).toBeLessThan(1e-5);
        expect(relativeError(vae.decode(get("vae.mean")), get("vae.decoded"))).toBeLessThan(1e-5);
        expect(seen.filter(({ channelsLast, kept }) => !channelsLast || !kept)).toEqual([]);
        expect(seen.length).toBeGreaterThan(15);
      }),
    );
  });
});
