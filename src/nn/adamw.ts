/**
 * AdamW (Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101) through libtorch's fused kernel, the one behind
 * torch.optim.AdamW(fused=True): one call for all parameters of a group.
 */
import {
  CheckpointError,
  foreachAddScalar_,
  foreachAddTensor_,
  fusedAdamw_,
  fusedAdamwTensorLr_,
  keep,
  noGrad,
  scope,
  zeros,
} from "../torch/index.ts";
import type { Tensor } from "../torch/index.ts";

export interface AdamWOptions {
  readonly lr?: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** What an update depends on where only the device knows it, in 0-dim float32 tensors beside the parameters. */
export interface DeviceRates {
  /** Learning rate of the first group. */
  readonly lr: Tensor;
  /** What the gradients are divided by: clipping and loss scale in one. */
  readonly divisor: Tensor;
  /** 1: nothing is updated, the counts neither; 0: all is. */
  readonly foundInf: Tensor;
}

export interface ParamGroup extends AdamWOptions {
  readonly parameters: Iterable<readonly [string, Tensor]>;
}

interface Slot {
  readonly key: string;
  readonly param: Tensor;
  moments: { readonly avg: Tensor; readonly avgSq: Tensor; readonly step: Tensor } | undefined;
}

interface Group extends Required<AdamWOptions> {
  /** Factor of the learning rate relative to the first group's. */
  readonly lrRatio: number;
  readonly slots: Slot[];
}

export class AdamW {
  readonly #groups: Group[];
  /** Learning rate of the first group; others keep their ratio to it. May be changed before every step. */
  lr: number;

  /** @param parameters named parameters (`model.namedParameters()`), or groups with their own options. */
  constructor(
    parameters: Iterable<readonly [string, Tensor]> | readonly ParamGroup[],
    options: AdamWOptions = {},
  ) {
    const given = [...parameters] as readonly (readonly [string, Tensor] | ParamGroup)[];
    const isGroup = (item: readonly [string, Tensor] | ParamGroup): item is ParamGroup =>
      "parameters" in item;
    const groups = given.filter(isGroup);
    const single = given.filter((item) => !isGroup(item)) as (readonly [string, Tensor])[];
    const all: readonly ParamGroup[] = groups.length > 0 ? groups : [{ parameters: single }];
    this.lr = all[0]?.lr ?? options.lr ?? 1e-3;
    this.#groups = all.map(({ parameters: named, ...own }) => {
      const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 1e-2 } = { ...options, ...own };
      const slots = Array.from(named, ([key, param]): Slot => ({ key, param, moments: undefined }));
      return { lr, betas, eps, weightDecay, slots, lrRatio: this.lr === 0 ? 1 : lr / this.lr };
    });
  }

  /** One update, in place; parameters without a gradient are skipped. With `rates` the host's `lr` is not asked. */
  step(rates?: DeviceRates): void {
    noGrad(() => {
      scope(() => {
        for (const group of this.#groups) stepGroup(group, rates ?? this.lr);
      });
    });
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const { slots } of this.#groups) for (const { param } of slots) param.grad = undefined;
  }

  /** The optimizer's own tensors (not copies): `exp_avg.<key>`, `exp_avg_sq.<key>`, `step.<key>`. */
  stateDict(): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    for (const { slots } of this.#groups) {
      for (const { key, moments } of slots) {
        if (moments === undefined) continue;
        state.set(`exp_avg.${key}`, moments.avg);
        state.set(`exp_avg_sq.${key}`, moments.avgSq);
        state.set(`step.${key}`, moments.step);
      }
    }
    return state;
  }

  /** Copies a state in; parameters that it does not name start anew. @throws CheckpointError for unknown keys. */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const slots = this.#groups.flatMap((group) => group.slots);
    const known = new Set(slots.flatMap(({ key }) => [`exp_avg.${key}`, `exp_avg_sq.${key}`, `step.${key}`]));
    const unexpected = [...state.keys()].filter((key) => !known.has(key));
    if (unexpected.length > 0) {
      throw new CheckpointError(
        `optimizer state for parameters that this optimizer does not hold: ${unexpected.join(", ")}`,
      );
    }
    this[Symbol.dispose]();
    noGrad(() => {
      scope(() => {
        for (const slot of slots) {
          const [avg, avgSq, step] = ["exp_avg", "exp_avg_sq", "step"].map((name) =>
            state.get(`${name}.${slot.key}`),
          );
          if (avg === undefined || avgSq === undefined || step === undefined) continue;
          slot.moments = newMoments(slot.param);
          slot.moments.avg.copy_(avg);
          slot.moments.avgSq.copy_(avgSq);
          slot.moments.step.copy_(step);
        }
      });
    });
  }

  /** Releases the moments; the parameters are their model's. */
  [Symbol.dispose](): void {
    for (const { slots } of this.#groups) {
      for (const slot of slots) {
        for (const tensor of Object.values(slot.moments ?? {})) tensor.dispose();
        slot.moments = undefined;
      }
    }
  }
}

function stepGroup({ slots, betas, eps, weightDecay, lrRatio }: Group, rates: number | DeviceRates): void {
  const params: Tensor[] = [];
  const grads: Tensor[] = [];
  const avgs: Tensor[] = [];
  const avgSqs: Tensor[] = [];
  const steps: Tensor[] = [];
  for (const slot of slots) {
    const { grad } = slot.param;
    if (grad === undefined) continue;
    const { avg, avgSq, step } = (slot.moments ??= newMoments(slot.param));
    params.push(slot.param);
    grads.push(grad);
    avgs.push(avg);
    avgSqs.push(avgSq);
    steps.push(step);
  }
  if (params.length === 0) return;
  const [beta1, beta2] = betas;
  const fixed = { beta1, beta2, eps, weightDecay, amsgrad: false, maximize: false };
  if (typeof rates === "number") {
    foreachAddScalar_(steps, 1);
    fusedAdamw_(params, grads, avgs, avgSqs, [], steps, { lr: rates * lrRatio, ...fixed });
    return;
  }
  const { divisor, foundInf } = rates;
  const lr = lrRatio === 1 ? rates.lr : rates.lr.mul(lrRatio);
  // A step that is not made does not count; the kernel does not ask for its number then.
  foreachAddTensor_(steps, foundInf.neg().add(1));
  fusedAdamwTensorLr_(params, grads, avgs, avgSqs, [], steps, { lr, ...fixed, gradScale: divisor, foundInf });
}

function newMoments(param: Tensor): NonNullable<Slot["moments"]> {
  const like = () => keep(param.zerosLike());
  return { avg: like(), avgSq: like(), step: keep(zeros([], { dtype: "float32", device: param.device })) };
}
