// Numbers that come from a device while it goes on: copied to pinned memory, looked at when they have arrived.
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { copyAsync_, type Device, DeviceEvent, emptyPinned, type Tensor } from "../../torch/index.ts";

export interface Reading {
  /** The numbers; other work of this program goes on until they are there. */
  numbers(): Promise<number[]>;
}

export interface Readings extends Disposable {
  /** Sends a float32 vector on its way. Only the two latest readings can be asked for their numbers. */
  read(values: Tensor): Reading;
}

interface Slot {
  readonly target: Tensor;
  readonly event: DeviceEvent;
}

/** Turns of the event loop before the waiting becomes a rest: a few milliseconds. */
const EAGER_TURNS = 500;

/** Two places that take turns, so that one step's numbers are read while the next one's are on their way. */
export function readings(device: Device): Readings {
  const slots: Slot[] = [];
  let turn = 0;
  return {
    read(values) {
      const [size = 0] = values.shape;
      const slot = (slots[turn] ??= {
        target: emptyPinned([size], "float32", device),
        event: new DeviceEvent(device),
      });
      turn = 1 - turn;
      copyAsync_(slot.target, values);
      slot.event.record();
      return {
        async numbers() {
          for (let i = 0; !slot.event.query(); i++) await (i < EAGER_TURNS ? nextTurn() : sleep(1));
          return slot.target.toNumbers();
        },
      };
    },
    [Symbol.dispose]() {
      for (const { target, event } of slots.splice(0)) {
        target.dispose();
        event.dispose();
      }
    },
  };
}
