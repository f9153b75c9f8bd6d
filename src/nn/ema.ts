/** Exponential moving average of parameters, as diffusers' training_utils.EMAModel (decay formula and warm-up). */
import { CheckpointError, foreachLerp_, fusedSgdTensorLr_, keep, noGrad, scope } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";
import { keyErrors } from "./key-errors.ts";

export interface EmaOptions {
  readonly decay?: number;
  readonly minDecay?: number;
  readonly updateAfterStep?: number;
  /** True: 1 - (1 + step / invGamma)^-power. False: (1 + step) / (10 + step). Both are capped by `decay`. */
  readonly useWarmup?: boolean;
  readonly invGamma?: number;
  readonly power?: number;
}

/** The decay factor at an optimisation step that counts from 1. */
export function emaDecay(optimizationStep: number, options: EmaOptions = {}): number {
  const { decay = 0.9999, minDecay = 0, updateAfterStep = 0 } = options;
  const { useWarmup = false, invGamma = 1, power = 2 / 3 } = options;
  const step = Math.max(0, optimizationStep - updateAfterStep - 1);
  if (step <= 0) return 0;
  const current = useWarmup ? 1 - (1 + step / invGamma) ** -power : (1 + step) / (10 + step);
  return Math.max(Math.min(current, decay), minDecay);
}

/** `1 - emaDecay(step)` where only the device knows the step: float64 in, float32 out, both 0-dim. */
export function emaWeight(optimizationStep: Tensor, options: EmaOptions = {}): Tensor {
  const { decay = 0.9999, minDecay = 0, updateAfterStep = 0 } = options;
  const { useWarmup = false, invGamma = 1, power = 2 / 3 } = options;
  return scope(() => {
    const step = optimizationStep.sub(updateAfterStep + 1);
    const counted = step.clampMin(0);
    const current = useWarmup
      ? counted.div(invGamma).add(1).pow(-power).neg().add(1)
      : counted.add(1).div(counted.add(10));
    const bounded = current.clamp(undefined, decay).clampMin(minDecay);
    return bounded.mul(step.gt(0)).neg().add(1).to("float32");
  });
}

export class Ema {
  readonly #options: EmaOptions;
  readonly #params: readonly Tensor[];
  readonly #shadow: ReadonlyMap<string, Tensor>;
  /** Number of updates so far: saved and restored by the owner, beside the tensors. */
  optimizationStep = 0;

  /** Starts from copies of the parameters' current values. */
  constructor(parameters: Iterable<readonly [string, Tensor]>, options: EmaOptions = {}) {
    const named = [...parameters];
    this.#options = options;
    this.#params = named.map(([, param]) => param);
    this.#shadow = new Map(named.map(([key, param]) => [key, keep(scope(() => param.detach().clone()))]));
  }

  /** Moves the averages towards the current parameters. */
  step(): void {
    this.optimizationStep += 1;
    const decay = emaDecay(this.optimizationStep, this.#options);
    noGrad(() => {
      foreachLerp_([...this.#shadow.values()], [...this.#params], 1 - decay);
    });
  }

  /**
   * The same by numbers that only the device knows: `optimizationStep` (0-dim float64), which this update is, and `foundInf`
   * (0-dim float32), 1 for an update that is not to be made. The owner sets the property of that name when it learns of it.
   */
  stepOnDevice(optimizationStep: Tensor, foundInf: Tensor): void {
    noGrad(() =>
      scope(() => {
        // avg += w * (param - avg) is a step of gradient descent with the rate w on (avg - param)^2 / 2, and its fused
        // kernel takes rate and condition from the device. With `maximize` and decay 1 its gradient is avg - param.
        fusedSgdTensorLr_([...this.#shadow.values()], [...this.#params], [], {
          lr: emaWeight(optimizationStep, this.#options),
          ...{ weightDecay: 1, maximize: true, foundInf },
          ...{ momentum: 0, dampening: 0, nesterov: false, isFirstStep: false },
        });
      }),
    );
  }

  /** The averages by key: not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.#shadow);
  }

  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const message = keyErrors({
      missing: [...this.#shadow.keys()].filter((key) => !state.has(key)),
      unexpected: [...state.keys()].filter((key) => !this.#shadow.has(key)),
      mismatched: [],
    });
    if (message !== undefined) throw new CheckpointError(message);
    noGrad(() => {
      scope(() => {
        for (const [key, shadow] of this.#shadow) shadow.copy_(state.get(key)!);
      });
    });
  }

  /**
   * Runs `fn`, which may be asynchronous, while parameters and averages have changed places; they change back bit by bit,
   * also on throw. Nothing else may change or save either of them meanwhile.
   */
  withAverages<T>(fn: () => T): T {
    this.#swap();
    let result: T;
    try {
      result = fn();
    } catch (error) {
      this.#swap();
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => this.#swap()) as T;
    this.#swap();
    return result;
  }

  // In place, one by one: optimizers hold the tensors, and a second copy of a large model may not fit.
  #swap(): void {
    const shadow = [...this.#shadow.values()];
    noGrad(() => {
      this.#params.forEach((param, i) => {
        scope(() => {
          const own = param.clone();
          param.copy_(shadow[i]!);
          shadow[i]!.copy_(own);
        });
      });
    });
  }

  /** Writes the averages into the parameters that are tracked. */
  copyToParameters(): void {
    noGrad(() => {
      scope(() => {
        const shadow = [...this.#shadow.values()];
        this.#params.forEach((param, i) => param.copy_(shadow[i]!));
      });
    });
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#shadow.values()) tensor.dispose();
  }
}
