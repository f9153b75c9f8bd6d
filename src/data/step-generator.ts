import { Generator } from "../torch/index.ts";

/**
 * A generator that depends on (seed, step) only: an interrupted run continues with the numbers it would have drawn.
 * The two are mixed, and the upper half is taken, because libtorch's CPU generator uses 32 bits of its seed.
 */
export function stepGenerator(seed: number, step: number): Generator {
  const mixed = BigInt.asUintN(
    64,
    BigInt(seed) * 0x9e3779b97f4a7c15n + BigInt(step + 1) * 0xd1342543de82ef95n,
  );
  return new Generator().manualSeed(mixed >> 32n);
}
