/**
 * Dynamic loss scaling for float16 (Micikevicius et al. 2017, https://arxiv.org/abs/1710.03740): small gradients are kept
 * from vanishing by a factor that grows while all is finite. Mirrors torch.amp.GradScaler.
 */
import { ampUnscale_, full, noGrad, scope, zeros } from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

export interface LossScalerOptions {
  readonly initScale?: number;
  readonly growthFactor?: number;
  readonly backoffFactor?: number;
  /** Finite steps in a row after which the scale grows. */
  readonly growthInterval?: number;
}

export interface LossScalerState {
  readonly scale: number;
  /** Finite steps since the scale last changed. */
  readonly growthTracker: number;
}

export class LossScaler {
  /** How the scale changes. */
  readonly options: Required<Omit<LossScalerOptions, "initScale">>;
  #scale: number;
  #growthTracker = 0;

  constructor(options: LossScalerOptions = {}) {
    const { initScale = 65536, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000 } = options;
    this.options = { growthFactor, backoffFactor, growthInterval };
    this.#scale = initScale;
  }

  /** The loss times the scale: what `backward()` is to be called on. */
  scale(loss: Tensor): Tensor {
    return loss.mul(this.#scale);
  }

  /** Divides the gradients by the scale, in place; false: some are infinite or no numbers, so the step must not be made. */
  unscale_(parameters: Iterable<Tensor>): boolean {
    return noGrad(() =>
      scope(() => {
        // One call for each device and dtype, which is what the operator takes.
        const groups = new Map<string, Tensor[]>();
        for (const { grad } of parameters) {
          if (grad === undefined) continue;
          const kind = `${grad.device} ${grad.dtype}`;
          groups
            .set(kind, groups.get(kind) ?? [])
            .get(kind)!
            .push(grad);
        }
        const nonFinite = Array.from(groups.values(), (gradients) => {
          const { device } = gradients[0]!;
          const found = zeros([], { device });
          ampUnscale_(gradients, found, full([], 1 / this.#scale, { device }));
          return found.item();
        });
        return nonFinite.every((value) => value === 0);
      }),
    );
  }

  /** Adapts the scale after a step. */
  update(finite: boolean): void {
    const { growthFactor, backoffFactor, growthInterval } = this.options;
    if (!finite) {
      this.#scale = Math.fround(this.#scale * backoffFactor);
      this.#growthTracker = 0;
    } else if (++this.#growthTracker === growthInterval) {
      // As GradScaler: it never grows to infinity.
      const grown = Math.fround(this.#scale * growthFactor);
      if (Number.isFinite(grown)) this.#scale = grown;
      this.#growthTracker = 0;
    }
  }

  state(): LossScalerState {
    return { scale: this.#scale, growthTracker: this.#growthTracker };
  }

  restore({ scale, growthTracker }: LossScalerState): void {
    this.#scale = scale;
    this.#growthTracker = growthTracker;
  }
}
