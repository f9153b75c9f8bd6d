// Idle time by marks in the device's own streams: what the device did meanwhile, whatever the program was doing.
import { type Device, DeviceEvent } from "../../torch/index.ts";
import { type IdleMeter, IdleShare } from "./idle-meter.ts";

interface Part {
  readonly arrived: DeviceEvent;
  readonly ended: DeviceEvent;
  /** Whether nothing else came between it and the part before. */
  readonly follows: boolean;
}

/**
 * Idle is the time between the end of one part's work and the arrival of the next part, if that came later; the whole is the time
 * between the ends of the two. Marks are read once they are reached, never waited for.
 */
export function deviceIdleMeter(device: Device): IdleMeter {
  const shares = new IdleShare();
  /** The last part that was looked at, and those after it. */
  const parts: Part[] = [];
  const mark = (): DeviceEvent => new DeviceEvent(device, { timing: true });
  let arrived: DeviceEvent | undefined;
  let follows = false;
  const release = (part: Part | undefined): void => {
    part?.arrived.dispose();
    part?.ended.dispose();
  };
  const collect = (): void => {
    while (parts[1]?.ended.query()) {
      const [before, part] = parts as [Part, Part];
      if (part.follows) {
        const whole = part.ended.elapsedMs(before.ended);
        // Negative when it was there before it was needed.
        const late = part.arrived.elapsedMs(before.ended);
        shares.add(Math.min(whole, Math.max(0, late)), whole);
      }
      release(parts.shift());
    }
  };
  return {
    waits: collect,
    arrives(event) {
      arrived?.dispose();
      arrived = event ?? mark().record();
    },
    ends() {
      parts.push({ arrived: arrived ?? mark().record(), ended: mark().record(), follows });
      arrived = undefined;
      follows = true;
    },
    pauses: () => void (follows = false),
    share() {
      collect();
      return shares.latest;
    },
    totalShare() {
      collect();
      return shares.total;
    },
    [Symbol.dispose]() {
      for (const part of parts.splice(0)) release(part);
      arrived?.dispose();
      arrived = undefined;
    },
  };
}
