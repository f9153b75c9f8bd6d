// Input that is read when its turn comes: what the processor computes with the same processor may as well read in between.
import { InvDiffError } from "../../torch/index.ts";
import { type IdleMeter, hostIdleMeter } from "./idle-meter.ts";
import { partPlans } from "./part-plans.ts";
import type { InputOptions, TrainingInput } from "./training-input.ts";

/** Reads each part by `set.load` in its turn. */
export function plainInput(
  options: InputOptions,
  { meter = hostIdleMeter() }: { readonly meter?: IdleMeter } = {},
): TrainingInput {
  const { set, batches } = options;
  const plans = partPlans(options);
  return {
    async next() {
      options.signal?.throwIfAborted();
      meter.waits();
      const { value: plan } = plans.next();
      if (!plan) throw new InvDiffError(`Input was asked for after step ${options.last}, the last one.`);
      const encoded = await set.load(plan.request);
      try {
        const batch = plan.diffuse(encoded, set.scalingFactor);
        batches.restore(plan.after);
        meter.arrives();
        const { step, part, rows, stepRows, position } = plan;
        return {
          ...{ step, part, rows, stepRows, position, batch },
          [Symbol.dispose]() {
            meter.ends();
            for (const value of Object.values(batch) as Iterable<Disposable | undefined>)
              value?.[Symbol.dispose]();
          },
        };
      } finally {
        encoded.moments.dispose();
        encoded.encoderHiddenStates.dispose();
      }
    },
    pause: () => meter.pauses(),
    get idleShare() {
      return meter.share();
    },
    get totalIdleShare() {
      return meter.totalShare();
    },
    async [Symbol.asyncDispose]() {
      plans.return();
      meter[Symbol.dispose]();
    },
  };
}
