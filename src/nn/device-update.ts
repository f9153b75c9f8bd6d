/**
 * The end of a training step where the host does not look at it: the norm of the gradients, whether all is finite, AdamW,
 * averages. Nothing waits for the device, and what changes from step to step is in its memory, so that a graph can hold
 * the step. Mirrors what PyTorch does with `AdamW(fused=True, capturable=True)` under a GradScaler.
 */
import { full, keep, noGrad, scope, stack, zeros } from "../torch/index.ts";
import type { Device, Tensor } from "../torch/index.ts";
import type { AdamW } from "./adamw.ts";
import { clipDivisor, gradNorm } from "./clip-grad.ts";
import type { Ema } from "./ema.ts";
import type { LossScaler } from "./loss-scaler.ts";

export interface UpdateParts {
  /** Tensors that the optimizer changes, all on one device. */
  readonly parameters: readonly Tensor[];
  readonly optimizer: AdamW;
  readonly ema?: Ema | undefined;
  /** For float16. */
  readonly scaler?: LossScaler | undefined;
  readonly maxGradNorm: number;
}

/** What an update says about itself, once it has been read. */
export interface UpdateNumbers {
  readonly gradNorm: number;
  /** The gradients overflowed: nothing was changed but the scale. */
  readonly skipped: boolean;
  /** The loss or its gradient is no number: nothing was changed, and nothing will be from now on. */
  readonly failed: boolean;
}

export class DeviceUpdate implements Disposable {
  /** How many numbers `apply` gives. */
  readonly size = 6;
  readonly #parts: UpdateParts;
  readonly #learningRate: Tensor;
  /** 1 from the first step on that must not be made, so that those queued behind it are not made either. */
  readonly #failed: Tensor;
  readonly #scale: Tensor;
  readonly #growthTracker: Tensor;
  /** Updates that the averages have seen. */
  readonly #updates: Tensor;

  /** Goes on from the state that averages and scaler have on the host. */
  constructor(parts: UpdateParts, device: Device) {
    this.#parts = parts;
    const { scale, growthTracker } = parts.scaler?.state() ?? { scale: 1, growthTracker: 0 };
    const float = (value: number) => keep(full([], value, { dtype: "float32", device }));
    this.#learningRate = float(0);
    this.#failed = float(0);
    this.#scale = float(scale);
    this.#growthTracker = keep(full([], growthTracker, { dtype: "int32", device }));
    this.#updates = keep(full([], parts.ema?.optimizationStep ?? 0, { dtype: "float64", device }));
  }

  /** What the next updates are made with; to be called outside of recorded work. */
  setLearningRate(value: number): void {
    this.#learningRate.fill_(value);
  }

  /** What the loss is to be multiplied with before `backward()`; undefined: nothing. */
  get lossScale(): Tensor | undefined {
    return this.#parts.scaler && this.#scale;
  }

  /** One update by the gradients that are there, unless they or the `loss` (0-dim) are not finite; gives what `read` reads. */
  apply(loss: Tensor): Tensor {
    const { parameters, optimizer, ema, scaler, maxGradNorm } = this.#parts;
    return noGrad(() =>
      scope(() => {
        const scaled = gradNorm(parameters) ?? zeros([], { device: loss.device });
        const norm = scaler ? scaled.div(this.#scale) : scaled;
        const finite = scaler ? norm.isfinite() : norm.isfinite().logicalAnd(loss.isfinite());
        const foundInf = this.#failed.maximum(finite.logicalNot().to("float32"));
        const clipped = clipDivisor(norm, maxGradNorm);
        const divisor = scaler ? clipped.mul(this.#scale) : clipped;
        optimizer.step({ lr: this.#learningRate, divisor, foundInf });
        this.#updates.sub_(foundInf).add_(1);
        ema?.stepOnDevice(this.#updates, foundInf);
        if (scaler) {
          const { growthFactor, backoffFactor, growthInterval } = scaler.options;
          const tracker = this.#growthTracker;
          this.#scale.ampUpdateScale_(tracker, foundInf, growthFactor, backoffFactor, growthInterval);
          this.#failed.copy_(this.#failed.maximum(this.#scale.lt(1).to("float32")));
        } else this.#failed.copy_(foundInf);
        const said = [norm, foundInf, this.#failed, this.#scale, this.#growthTracker, this.#updates];
        return stack(said.map((value) => value.to("float32")));
      }),
    );
  }

  /** Names the numbers of an update, and takes what they say about averages and scale to the host's side of these. */
  read(numbers: readonly number[]): UpdateNumbers {
    const [norm, foundInf, failed, scale, growthTracker, updates] = numbers as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const { ema, scaler } = this.#parts;
    scaler?.restore({ scale, growthTracker });
    if (ema) ema.optimizationStep = updates;
    const skipped = foundInf !== 0;
    return { gradNorm: skipped ? Infinity : norm, skipped, failed: failed !== 0 };
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.#learningRate, this.#failed, this.#scale, this.#growthTracker, this.#updates])
      tensor.dispose();
  }
}
