// Which device a string names: "cuda" and "cuda:0" are one.
import type { Device } from "./dtype.ts";

// The current device of a process is never changed here, so a device without a number is the first of its kind.
const withoutZero = (device: Device): string => (device.endsWith(":0") ? device.slice(0, -2) : device);

/** True when both strings name the same device: "cuda" is "cuda:0". */
export const sameDevice = (one: Device, other: Device): boolean =>
  one === other || withoutZero(one) === withoutZero(other);

/** True for the processor, whose memory is the program's own and which works at once. */
export const isHost = (device: Device): boolean => withoutZero(device) === "cpu";
