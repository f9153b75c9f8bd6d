// What the card can do at best: a large matrix product, a large copy. Twin: tools/bench/gpu/ceiling.py.
import { empty, Generator, randn } from "../../src/torch/index.ts";
import type { CopyCase, MatmulCase, Way } from "./cases.ts";
import { memoryOf, timeKernels } from "./clock.ts";
import type { Measured } from "./protocol.ts";

/** Milliseconds of a product of two square matrices of random numbers: of zeros a card makes more, being cooler. */
export function measureMatmul(one: MatmulCase, way: Way, device: string): Measured[] {
  const { size, precision } = one;
  const generator = new Generator(device).manualSeed(0);
  const draw = () => randn([size, size], { generator, device }).to(precision);
  using a = draw();
  using b = draw();
  const milliseconds = timeKernels(() => void a.matmul(b), device, one);
  return [{ variant: way, row: "", milliseconds, ...memoryOf(device) }];
}

/** Milliseconds of a copy within the device's memory. */
export function measureCopy(one: CopyCase, way: Way, device: string): Measured[] {
  const shape = [one.bytes / 4];
  using source = randn(shape, { generator: new Generator(device).manualSeed(0), device });
  using target = empty(shape, { device });
  const milliseconds = timeKernels(() => void target.copy_(source), device, one);
  return [{ variant: way, row: "", milliseconds, ...memoryOf(device) }];
}
