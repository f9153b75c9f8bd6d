// Places on the device where a step finds its batches: the same at every step, so that recorded work can read them.
import type { DiffusionBatch } from "../../data/index.ts";
import { copyAsync_, keep, pinned, scope, type Tensor } from "../../torch/index.ts";

/** A batch with what the objective knows of its images. */
export interface HeldBatch extends DiffusionBatch {
  readonly weights?: Tensor | undefined;
}

export interface StepBuffers extends Disposable {
  /** One for each batch of a step. */
  readonly batches: readonly HeldBatch[];
  /** Takes a batch's values in, and the objective's from the CPU; nothing waits for the device. */
  put(part: number, batch: DiffusionBatch, weights: Tensor | undefined): void;
}

/** Made by the first step's values, whose shapes all others have. */
export function stepBuffers(): StepBuffers {
  const held: Record<string, Tensor>[] = [];
  return {
    get batches() {
      return held as unknown as readonly HeldBatch[];
    },
    put(part, batch, weights) {
      scope(() => {
        const { device } = batch.latents;
        const own = weights && pinned(weights, device);
        const given = Object.entries<Tensor | undefined>({ ...batch, weights: own });
        const place = (held[part] ??= {});
        for (const [name, value] of given) {
          if (!value) continue;
          place[name] ??= keep(value.emptyLike({ device }));
          copyAsync_(place[name], value);
        }
      });
    },
    [Symbol.dispose]() {
      for (const place of held.splice(0)) for (const value of Object.values(place)) value.dispose();
    },
  };
}
