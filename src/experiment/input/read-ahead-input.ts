// Input that is read, drawn and sent to the device while the device works on the parts before. The numbers are those of
// plain-input.ts to the bit: each part has a generator of its own.
import { diffusionBatch } from "../../data/index.ts";
import { InvDiffError, scope, Tensor } from "../../torch/index.ts";
import type { IdleMeter } from "./idle-meter.ts";
import { type PartPlan, partPlans } from "./part-plans.ts";
import type { PartSource, ReadPart } from "./part-source.ts";
import { openSlots, type Slot } from "./slot.ts";
import type { InputBatch, InputOptions, TrainingInput } from "./training-input.ts";

export interface ReadAheadParts {
  /** Owned by the input, like the meter. */
  readonly source: PartSource;
  readonly meter: IdleMeter;
  /** Parts that are read while one is in use. */
  readonly ahead: number;
}

interface Prepared {
  readonly plan: PartPlan;
  readonly read: ReadPart;
  readonly slot: Slot;
  readonly number: number;
}

/** See `TrainingInput`; nothing is begun before the first `next`. */
export function readAheadInput(
  options: InputOptions,
  { source, meter, ahead }: ReadAheadParts,
): TrainingInput {
  const { set, batches, signal } = options;
  const plans = partPlans(options);
  const left = new AbortController();
  const slots = openSlots(set.device, ahead + 1);
  const free = slots.map((_, number) => number);
  const begun: Promise<Prepared>[] = [];

  const prepare = async (plan: PartPlan, number: number): Promise<Prepared> => {
    const reading = source.read(plan, number, left.signal);
    reading.catch(() => undefined);
    const slot = slots[number]!;
    // Drawn while the reader reads.
    const drawn = plan.draw(set.latentShape);
    try {
      const read = await reading;
      try {
        left.signal.throwIfAborted();
        slot.fill({ ...read.staged, ...drawn });
      } catch (error) {
        read[Symbol.dispose]();
        throw error;
      } finally {
        for (const value of Object.values(read.staged)) if (value instanceof Tensor) value.dispose();
      }
      return { plan, read, slot, number };
    } finally {
      for (const value of Object.values(drawn) as (Tensor | undefined)[]) value?.dispose();
    }
  };

  const begin = (): void => {
    while (free.length > 0 && !left.signal.aborted) {
      const { value: plan } = plans.next();
      if (!plan) return;
      const prepared = prepare(plan, free.shift()!);
      // Not unhandled: the error is told when its turn comes.
      prepared.catch(() => undefined);
      begun.push(prepared);
    }
  };

  const give = ({ plan, read, slot, number }: Prepared): InputBatch => {
    using _read = read;
    const there = slot.arrive();
    // What comes now is work of the device, not waiting for input.
    meter.arrives(slot.takeArrival());
    const encoded = read.encode(there);
    using _moments = encoded.moments;
    using _states = encoded.encoderHiddenStates;
    const batch = scope(() => {
      const drawn = {
        posterior: there.get("posterior"),
        noise: there.get("noise")!,
        inputNoise: there.get("inputNoise"),
        timesteps: there.get("timesteps")!,
      };
      return diffusionBatch(encoded, drawn, set.scalingFactor);
    });
    if (plan.part === 0) batches.restore(plan.after);
    const { step, part, rows, stepRows, position } = plan;
    let isOver = false;
    return {
      ...{ step, part, rows, stepRows, position, batch },
      [Symbol.dispose]() {
        if (isOver) return;
        isOver = true;
        for (const value of Object.values(batch) as (Tensor | undefined)[]) value?.dispose();
        if (left.signal.aborted) return;
        slot.release();
        meter.ends();
        free.push(number);
        // Drawing takes a moment: what the training does next with the device goes first.
        setImmediate(begin);
      },
    };
  };

  return {
    async next() {
      signal?.throwIfAborted();
      meter.waits();
      // Else the next ones are begun when the training has turned to what is here already.
      if (begun.length === 0) begin();
      const [head] = begun;
      if (!head)
        throw new InvDiffError(
          free.length > 0
            ? `Input was asked for after step ${options.last}, the last one.`
            : "Input was asked for although all parts that were read are in use; dispose of one first.",
        );
      const prepared = await unlessAborted(head, signal);
      void begun.shift();
      return give(prepared);
    },
    pause: () => meter.pauses(),
    get idleShare() {
      return meter.share();
    },
    get totalIdleShare() {
      return meter.totalShare();
    },
    async [Symbol.asyncDispose]() {
      if (left.signal.aborted) return;
      left.abort();
      void plans.return();
      // First the reader: what waits for it fails then.
      await source[Symbol.asyncDispose]();
      for (const result of await Promise.allSettled(begun.splice(0)))
        if (result.status === "fulfilled") result.value.read[Symbol.dispose]();
      for (const slot of slots) slot[Symbol.dispose]();
      meter[Symbol.dispose]();
    },
  };
}

/** What the promise gives; throws the signal's reason as soon as it is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
