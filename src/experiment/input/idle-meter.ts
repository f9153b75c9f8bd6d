// The share of a training's time in which the device had nothing to do because its input was late.
import type { DeviceEvent } from "../../torch/index.ts";

/** Told what happens to each part of the input, in this order: waits, arrives, ends. */
export interface IdleMeter extends Disposable {
  /** The training asks for a part. */
  waits(): void;
  /** It is on the device, now or when the event is reached, which is the meter's from then on. */
  arrives(event?: DeviceEvent): void;
  /** Everything that uses it is queued. */
  ends(): void;
  /** Other work came between: the time from the last end to the next one is not counted. */
  pauses(): void;
  /** Idle time / time over the latest parts; undefined before the second one. */
  share(): number | undefined;
  totalShare(): number | undefined;
}

/** Parts that `share` looks back on. */
const WINDOW = 50;

/** Sums of idle and whole milliseconds, all and the latest. */
export class IdleShare {
  readonly #latest: { readonly idle: number; readonly whole: number }[] = [];
  #idle = 0;
  #whole = 0;

  add(idle: number, whole: number): void {
    this.#latest.push({ idle, whole });
    if (this.#latest.length > WINDOW) this.#latest.shift();
    this.#idle += idle;
    this.#whole += whole;
  }

  get latest(): number | undefined {
    const sum = (of: "idle" | "whole") => this.#latest.reduce((all, part) => all + part[of], 0);
    return ratio(sum("idle"), sum("whole"));
  }

  get total(): number | undefined {
    return ratio(this.#idle, this.#whole);
  }
}

const ratio = (idle: number, whole: number): number | undefined => (whole > 0 ? idle / whole : undefined);

/**
 * By this machine's clock: idle is what `next` takes. Right where the training waits for its results before it asks for
 * more, as on the CPU. `now` gives milliseconds.
 */
export function hostIdleMeter(now: () => number = () => performance.now()): IdleMeter {
  const shares = new IdleShare();
  let lastEnd: number | undefined;
  let asked = 0;
  let idle = 0;
  return {
    waits: () => void (asked = now()),
    arrives: () => void (idle = now() - asked),
    ends() {
      const time = now();
      if (lastEnd !== undefined) shares.add(idle, time - lastEnd);
      lastEnd = time;
    },
    pauses: () => void (lastEnd = undefined),
    share: () => shares.latest,
    totalShare: () => shares.total,
    [Symbol.dispose]: () => undefined,
  };
}
