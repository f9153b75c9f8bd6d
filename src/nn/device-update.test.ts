// The update that the host does not look at, beside the one that it does: on the processor both can be run.
import { describe, expect, it } from "vitest";
import { nnGolden, relativeError } from "../../test/tensors.ts";
import { Generator, randn, scope, tensor, type Tensor, tensorCount } from "../torch/index.ts";
import { settledTensorCount } from "../../test/settled.ts";
import { AdamW } from "./adamw.ts";
import { clipGradNorm_ } from "./clip-grad.ts";
import { DeviceUpdate, type UpdateNumbers } from "./device-update.ts";
import { Ema, emaDecay, type EmaOptions, emaWeight } from "./ema.ts";
import { LossScaler } from "./loss-scaler.ts";

type Named = [string, Tensor][];

const generator = () => new Generator().manualSeed(3);
const start = (): Named => {
  const draws = generator();
  return [
    ["a", randn([5, 3], { generator: draws }).requiresGrad_()],
    ["b", randn([7], { generator: draws }).requiresGrad_()],
  ];
};
/** Gradients of step `i`, times `scale`; from `broken` on the host they hold what is no number. */
function setGradients(named: Named, i: number, scale = 1, broken?: number): void {
  const draws = new Generator().manualSeed(100 + i);
  for (const [key, param] of named) {
    const values = randn([...param.shape], { generator: draws }).mul(scale);
    param.grad = broken !== undefined && key === "b" ? values.mul(broken) : values;
  }
}
const rate = (i: number): number => 1e-2 / (1 + i);
/** The norm of these gradients, more or less. */
const MOST = 4.7;
const OPTIONS = { betas: [0.9, 0.99], weightDecay: 0.05 } as const;
const values = (named: Named, optimizer: AdamW, ema: Ema) => [
  ...named.map(([, param]) => param.toNumbers()),
  ...[...optimizer.stateDict().values(), ...ema.stateDict().values()].map((value) => value.toNumbers()),
];

/** A run of the update; gives what it says about each step and everything that it changed. */
function onDevice(
  steps: number,
  scaler?: LossScaler,
  broken: (i: number) => number | undefined = () => undefined,
) {
  return scope(() => {
    const named = start();
    using optimizer = new AdamW(named, OPTIONS);
    using ema = new Ema(named, { decay: 0.8 });
    const parameters = named.map(([, param]) => param);
    using update = new DeviceUpdate({ parameters, optimizer, ema, scaler, maxGradNorm: MOST }, "cpu");
    const said: UpdateNumbers[] = [];
    const after: number[][][] = [];
    for (let i = 0; i < steps; i++) {
      const scale = update.lossScale?.item() ?? 1;
      setGradients(named, i, scale, broken(i));
      update.setLearningRate(rate(i));
      const numbers = update.apply(tensor([1]).view([])).toNumbers();
      expect(numbers).toHaveLength(update.size);
      said.push(update.read(numbers));
      after.push(values(named, optimizer, ema));
    }
    return { said, after, averagings: ema.optimizationStep };
  });
}

/** The same by the host's functions; a step of which `skips` is true is left out. */
function onHost(steps: number, skips: (i: number) => boolean = () => false) {
  return scope(() => {
    const named = start();
    using optimizer = new AdamW(named, OPTIONS);
    using ema = new Ema(named, { decay: 0.8 });
    const norms: number[] = [];
    const after: number[][][] = [];
    for (let i = 0; i < steps; i++) {
      setGradients(named, i);
      norms.push(
        clipGradNorm_(
          named.map(([, param]) => param),
          MOST,
        ),
      );
      optimizer.lr = rate(i);
      if (!skips(i)) {
        optimizer.step();
        ema.step();
      }
      after.push(values(named, optimizer, ema));
    }
    return { norms, after, averagings: ema.optimizationStep };
  });
}

function expectClose(actual: readonly number[][], expected: readonly number[][]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((list, i) =>
    list.forEach((value, j) =>
      expect(Math.abs(actual[i]![j]! - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value))),
    ),
  );
}

describe("DeviceUpdate", () => {
  it("clips, updates and averages as the host's functions do", () => {
    const [device, host] = [onDevice(20), onHost(20)];
    device.after.forEach((after, i) => expectClose(after, host.after[i]!));
    device.said.forEach(({ gradNorm, ...rest }, i) => {
      expect(Math.abs(gradNorm - host.norms[i]!)).toBeLessThan(1e-5);
      expect(rest).toEqual({ skipped: false, failed: false });
    });
    expect(host.norms.some((norm) => norm < MOST) && host.norms.some((norm) => norm > MOST)).toBe(true);
    expect(device.averagings).toBe(20);
  });

  it.each([NaN, Infinity])("changes nothing from a gradient of %s on, whatever comes behind it", (bad) => {
    const { said, after, averagings } = onDevice(8, undefined, (i) => (i === 4 ? bad : undefined));
    expect(said.map(({ failed }) => failed)).toEqual([
      ...Array<boolean>(4).fill(false),
      ...Array<boolean>(4).fill(true),
    ]);
    for (const later of after.slice(4)) expect(later).toEqual(after[3]);
    expect(after[3]).not.toEqual(after[2]);
    expect(averagings).toBe(4);
  });

  it("changes nothing when the loss is no number", () =>
    scope(() => {
      const named = start();
      using optimizer = new AdamW(named, OPTIONS);
      const parameters = named.map(([, param]) => param);
      using update = new DeviceUpdate({ parameters, optimizer, maxGradNorm: 1 }, "cpu");
      const before = parameters.map((param) => param.toNumbers());
      setGradients(named, 0);
      update.setLearningRate(0.1);
      const numbers = update.apply(tensor([NaN]).view([])).toNumbers();
      expect(update.read(numbers)).toMatchObject({ failed: true });
      expect(parameters.map((param) => param.toNumbers())).toEqual(before);
    }));

  it("skips overflows of scaled gradients, adapts the scale as LossScaler, and goes on", () => {
    const options = { initScale: 1024, growthFactor: 3, backoffFactor: 0.1, growthInterval: 3 };
    const bad = [4, 8, 9];
    const scaler = new LossScaler(options);
    const { said, after, averagings } = onDevice(16, scaler, (i) => (bad.includes(i) ? Infinity : undefined));
    const host = onHost(16, (i) => bad.includes(i));
    const reference = new LossScaler(options);
    said.forEach(({ skipped, failed }, i) => {
      expect({ skipped, failed }).toEqual({ skipped: bad.includes(i), failed: false });
      reference.update(!bad.includes(i));
    });
    after.forEach((values, i) => expectClose(values, host.after[i]!));
    expect(scaler.state()).toEqual(reference.state());
    expect(averagings).toBe(13);
  });

  it("fails when even a scale below 1 overflows", () => {
    const scaler = new LossScaler({ initScale: 4 });
    const { said, after } = onDevice(6, scaler, (i) => (i > 1 ? Infinity : undefined));
    expect(said.map(({ failed }) => failed)).toEqual([false, false, false, false, true, true]);
    expect(after[5]).toEqual(after[1]);
  });

  it("goes on from the host's counts, and leaves nothing behind", () => {
    const before = settledTensorCount();
    scope(() => {
      const named = start();
      using optimizer = new AdamW(named, OPTIONS);
      using ema = new Ema(named);
      ema.optimizationStep = 41;
      const scaler = new LossScaler();
      scaler.restore({ scale: 8, growthTracker: 7 });
      const parameters = named.map(([, param]) => param);
      using update = new DeviceUpdate({ parameters, optimizer, ema, scaler, maxGradNorm: 1 }, "cpu");
      setGradients(named, 0, 8);
      update.read(update.apply(tensor([1]).view([])).toNumbers());
      expect(ema.optimizationStep).toBe(42);
      expect(scaler.state()).toEqual({ scale: 8, growthTracker: 8 });
    });
    expect(tensorCount()).toBe(before);
  });
});

describe("emaWeight", () => {
  const cases: EmaOptions[] = [
    {},
    { decay: 0.5, minDecay: 0.2 },
    { useWarmup: true, invGamma: 2, power: 0.75, updateAfterStep: 3, decay: 0.9, minDecay: 0.1 },
  ];
  it.each(cases)("is one minus emaDecay to the last bit of float32: %o", (options) =>
    scope(() => {
      for (const step of [1, 2, 3, 4, 5, 6, 10, 100, 12_345, 1_000_000]) {
        const weight = emaWeight(tensor(Float64Array.of(step)).view([]), options);
        expect(weight.item(), `${step}`).toBe(Math.fround(1 - emaDecay(step, options)));
      }
    }),
  );

  it("moves averages as diffusers' EMAModel", () =>
    scope(() => {
      const golden = nnGolden("ema");
      const walk = golden.get("walk")!;
      const param = walk.select(0, 0).clone();
      using ema = new Ema([["w", param]]);
      const steps = golden.get("plain.decays")!.numel;
      for (let i = 0; i < steps; i++) {
        param.copy_(walk.select(0, i));
        ema.stepOnDevice(tensor(Float64Array.of(i + 1)).view([]), tensor([0]).view([]));
      }
      expect(relativeError(ema.stateDict().get("w")!, golden.get("plain")!)).toBeLessThan(1e-6);
    }));
});
