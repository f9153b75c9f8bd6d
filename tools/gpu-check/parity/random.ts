// Random numbers: the processor's are those of Python for the same seed on any host, a card's those of the same build.
import { Generator, randn, rand, scope, type Device } from "../../../src/torch/index.ts";
import type { Checks } from "./checks.ts";

/** The seed and count of probe.py. */
const SEED = 1234;
const COUNT = 64;

const draw = (device: Device): number[] =>
  scope(() => randn([COUNT], { generator: new Generator(device).manualSeed(SEED), device }).toNumbers());

const differing = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? a.filter((value, i) => value !== b[i]).length : NaN;

/** `python`: 64 normal numbers by kind of device that Python's torch gave on this host. */
export function checkRandom(
  { device, within }: Checks,
  python: Readonly<Record<string, readonly number[]>> | undefined,
): void {
  const row = "random numbers: differing ones";
  const devices = new Set<Device>(["cpu", device]);
  for (const one of devices) {
    within(row, `${one}, the same seed again`, differing(draw(one), draw(one)), 0);
    const generator = new Generator(one).manualSeed(SEED);
    scope(() => {
      rand([7], { generator, device: one });
      const state = generator.getState();
      const first = randn([COUNT], { generator, device: one }).toNumbers();
      generator.setState(state);
      const again = randn([COUNT], { generator, device: one }).toNumbers();
      within(row, `${one}, a state given back`, differing(first, again), 0);
      within(row, `${one}, another seed`, differing(first, draw(one)) === COUNT ? 0 : 1, 0);
    });
    const expected = python?.[one.split(":")[0]!];
    if (expected !== undefined)
      within(row, `${one}, Python's torch.randn`, differing(draw(one), expected), 0);
  }
}
