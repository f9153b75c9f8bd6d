// Solver `spread`, as the reference does it: soft weights that maximise the spread of the K group means.
// Reference: group/train_group.py. Kept for comparison: it splits at the mean, so minorities stay mixed in.
import { keep, noGrad, scope, ShapeError, type Tensor } from "../torch/index.ts";

export interface SpreadOptions {
  readonly epochs?: number;
  readonly learningRate?: number;
  /** The reference's `loss_not_zero_weight`: pushes every weighted loss away from zero. */
  readonly notZeroWeight?: number;
  readonly onEpoch?: (epoch: number, objective: number) => void;
}

/** Optimised weights [N, K] (rows sum to 1) from losses [N] and initial weights [N, K]; Adam, projected after each step. */
export function spreadGroups(losses: Tensor, initial: Tensor, options: SpreadOptions = {}): Tensor {
  const { epochs = 500, learningRate = 0.01, notZeroWeight = 0, onEpoch } = options;
  if (losses.ndim !== 1 || initial.ndim !== 2 || initial.shape[0] !== losses.shape[0])
    throw new ShapeError(
      `spreadGroups: losses [N] and weights [N, K] were expected, got [${losses.shape.join(", ")}] and [${initial.shape.join(", ")}]`,
    );
  const weights = keep(initial.detach().clone()).requiresGrad_();
  using mean = keep(weights.detach().zerosLike());
  using square = keep(mean.zerosLike());
  for (let epoch = 0; epoch < epochs; epoch++) {
    const objective = scope(() => {
      const weighted = losses.unsqueeze(1).mul(weights);
      const means = weighted.sum(0).div(weights.sum(0));
      const loss = means.std(null, { correction: 1 }).neg().sub(weighted.min().mul(notZeroWeight));
      loss.backward();
      adamStep(weights, { mean, square, step: epoch + 1, learningRate });
      noGrad(() => weights.clampMin_(0).div_(weights.sum([1], true)));
      return loss.item();
    });
    weights.grad = undefined;
    onEpoch?.(epoch, objective);
  }
  return weights.requiresGrad_(false);
}

/**
 * torch.optim.Adam operation by operation, not the fused kernel: the projection divides by sums that may come close to
 * zero, so a different rounding ends elsewhere within 500 epochs (golden case 4).
 */
function adamStep(
  weights: Tensor,
  { mean, square, step, learningRate }: { mean: Tensor; square: Tensor; step: number; learningRate: number },
): void {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  noGrad(() => {
    const gradient = weights.grad!;
    mean.lerp_(gradient, 1 - beta1);
    square.mul_(beta2).addcmul_(gradient, gradient, { value: 1 - beta2 });
    const denominator = square
      .sqrt()
      .div_(Math.sqrt(1 - beta2 ** step))
      .add_(epsilon);
    weights.addcdiv_(mean, denominator, { value: -learningRate / (1 - beta1 ** step) });
  });
}
