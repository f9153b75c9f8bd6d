// How far the program runs ahead of a card: the work of a step is only queued there, and takes longer than queueing it.
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { type Device, DeviceEvent, isHost } from "../torch/index.ts";

/** Steps queued at a time: one at work and one waiting, so that the card never stands still. */
const AHEAD = 2;

/** Between two steps: gives the event loop a turn, and lets progress and stopping keep up with a card without blocking. */
export class Pace implements Disposable {
  readonly #device: Device;
  readonly #marks: DeviceEvent[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  /** To be called when a step is queued. */
  async turn(): Promise<void> {
    if (!isHost(this.#device)) this.#marks.push(new DeviceEvent(this.#device).record());
    await nextTurn();
    while (this.#marks.length >= AHEAD) {
      // Asked now and then, not waited for: timers and streams of the program go on.
      while (!this.#marks[0]!.query()) await pause(1);
      this.#marks.shift()!.dispose();
    }
  }

  [Symbol.dispose](): void {
    for (const mark of this.#marks.splice(0)) mark.dispose();
  }
}
