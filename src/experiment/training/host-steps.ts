// Steps whose results are read at once, as a processor makes them.
import { NonFiniteLossError, type Trainer, trainOn } from "../../method/index.ts";
import type { TrainingInput } from "../input/index.ts";
import type { TrainingJob } from "./job.ts";
import type { Steps } from "./steps.ts";

/** Makes each step when it is asked for, whatever the device. Owns the input. */
export function hostSteps({ set, batches }: TrainingJob, trainer: Trainer, input: TrainingInput): Steps {
  return {
    async next(step) {
      let first: Pick<Awaited<ReturnType<TrainingInput["next"]>>, "stepRows" | "position"> | undefined;
      const part = async () => {
        const given = await input.next();
        first ??= given;
        return given;
      };
      const ids = () => Array.from(first!.stepRows, (row) => set.ids[row]!);
      try {
        return { step, result: await trainOn(trainer, part, { step, ids }) };
      } catch (error) {
        // The step is to be drawn again by whoever goes on from here.
        if (error instanceof NonFiniteLossError) batches.restore(first!.position);
        throw error;
      }
    },
    finish: () => Promise.resolve(undefined),
    pause: () => input.pause(),
    get idleShare() {
      return input.idleShare;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(input[Symbol.asyncDispose]()),
  };
}
