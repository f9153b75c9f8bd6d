// Slicing and tiling against diffusers (tools/golden/vae-tiling.py), and what they are for: bounded memory.
import { afterEach, describe, expect, it, vi } from "vitest";
import { fill, wave } from "../../../test/closed-form.ts";
import { ownGolden } from "../../../test/own-golden.ts";
import { settledTensorBytes } from "../../../test/settled.ts";
import { relativeError } from "../../../test/tensors.ts";
import { ConfigError, noGrad, scope, tensorBytes } from "../../torch/index.ts";
import { Decoder } from "./decoder.ts";
import { Encoder } from "./encoder.ts";
import { AutoencoderKL } from "./index.ts";
import type { VaeConfig } from "./index.ts";

const golden = ownGolden("vae-tiling");
const config = golden.json("config") as VaeConfig;

afterEach(() => void vi.restoreAllMocks());

/** Shapes of everything that goes through the encoder or decoder. */
function watch(network: typeof Encoder | typeof Decoder): (readonly number[])[] {
  const shapes: (readonly number[])[] = [];
  const forward = network.prototype.forward;
  vi.spyOn(network.prototype, "forward").mockImplementation(function (this: Encoder & Decoder, xs) {
    shapes.push(xs.shape);
    return forward.call(this, xs);
  });
  return shapes;
}

describe("AutoencoderKL in pieces", () => {
  it("equals diffusers' tiled encode and decode of two images in turn", () => {
    using vae = fill(AutoencoderKL.seeded(config, 0));
    const encoded = watch(Encoder);
    const decoded = watch(Decoder);
    noGrad(() =>
      scope(() => {
        const options = { slicing: true, tiling: true };
        const latents = vae.encode(wave([2, 3, 44, 72], 1), options);
        expect(relativeError(latents.mean, golden.get("mean"))).toBeLessThan(1e-5);
        expect(relativeError(latents.logvar, golden.get("logvar"))).toBeLessThan(1e-5);
        const image = vae.decode(wave([2, 2, 11, 18], 2), options);
        expect(relativeError(image, golden.get("decoded"))).toBeLessThan(1e-5);
        const whole = vae.decode(wave([2, 2, 11, 18], 2));
        expect(relativeError(whole, golden.get("whole"))).toBeLessThan(1e-5);
      }),
    );
    // 2 images x (2 x 3) tiles, the last ones cut at the border; then the whole batch at once.
    expect(encoded).toHaveLength(12);
    expect(encoded.every(([n, , h, w]) => n === 1 && h! <= 32 && w! <= 32)).toBe(true);
    expect(decoded.slice(0, 12).every(([n, , h, w]) => n === 1 && h! <= 8 && w! <= 8)).toBe(true);
    expect(decoded.slice(12)).toEqual([[2, 2, 11, 18]]);
  });

  it("changes nothing for a single image that fits into a tile", () => {
    using vae = fill(AutoencoderKL.seeded(config, 0));
    noGrad(() =>
      scope(() => {
        const latents = wave([2, 2, 8, 8], 2);
        const whole = vae.decode(latents).toNumbers();
        expect(vae.decode(latents, { tiling: true }).toNumbers()).toEqual(whole);
        const images = wave([2, 3, 32, 20], 2);
        const inTurn = vae.encode(images, { slicing: true, tiling: true });
        expect(relativeError(inTurn.mean, vae.encode(images).mean)).toBeLessThan(1e-6);
      }),
    );
  });

  it("holds two rows of tiles at most, whatever the height", () => {
    using vae = fill(AutoencoderKL.seeded(config, 0));
    const highWater = (height: number) => {
      const before = settledTensorBytes();
      let highest = 0;
      const forward = Decoder.prototype.forward;
      vi.spyOn(Decoder.prototype, "forward").mockImplementation(function (this: Decoder, xs) {
        highest = Math.max(highest, tensorBytes() - before);
        return forward.call(this, xs);
      });
      noGrad(() => scope(() => vae.decode(wave([1, 2, height, 16], 2), { tiling: true })));
      vi.restoreAllMocks();
      return highest;
    };
    const [low, high] = [highWater(24), highWater(192)];
    // Strips of the finished picture stay (float32, 3 x 4 h x 64), and the latents; the tiles of a row do not add up.
    const finished = (192 - 24) * (3 * 4 * 64 * 4 + 2 * 16 * 4);
    expect(high - low).toBeLessThan(1.2 * finished);
  });

  it("propagates gradients through the seams", () => {
    using vae = fill(AutoencoderKL.seeded(config, 0));
    scope(() => {
      const latents = wave([1, 2, 11, 18], 2).requiresGrad_();
      vae.decode(latents, { tiling: true }).sum(null).backward();
      const direction = wave([1, 2, 11, 18], 7);
      const slope = latents.grad!.mul(direction).sum(null).item();
      const along = (step: number) =>
        noGrad(() =>
          vae
            .decode(latents.add(direction.mul(step)), { tiling: true })
            .to("float64")
            .sum(null)
            .item(),
        );
      const measured = (along(0.01) - along(-0.01)) / 0.02;
      expect(Math.abs(measured - slope)).toBeLessThan(0.01 * Math.abs(slope) + 0.1);
    });
  });

  it("takes other tiles, and refuses those that do not fit together", () => {
    using vae = fill(AutoencoderKL.seeded(config, 0));
    const decoded = watch(Decoder);
    noGrad(() =>
      scope(() => {
        const image = vae.decode(wave([1, 2, 11, 18], 2), { tiling: { latentSize: 10, overlapFactor: 0.5 } });
        expect(image.shape).toEqual([1, 3, 44, 72]);
        expect(decoded.map(([, , h, w]) => [h, w])).toEqual(
          [10, 6, 1].flatMap((h) => [10, 10, 8, 3].map((w) => [h, w])),
        );
        for (const tiling of [{ latentSize: 7 }, { overlapFactor: 1 }, { latentSize: 0 }]) {
          expect(() => vae.decode(wave([1, 2, 11, 18], 2), { tiling })).toThrow(ConfigError);
        }
      }),
    );
  });
});
