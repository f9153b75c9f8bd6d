// Host memory that a device reads by itself, so that a copy needs no waiting. Where there is no such device the plain
// tensor does.
import { addon } from "./addon.ts";
import { wrap } from "./bridge.ts";
import { isHost } from "./device.ts";
import type { Device, DType, TypedArray } from "./dtype.ts";
import { empty } from "./ops.generated.ts";
import { keep, scope } from "./scope.ts";
import { DeviceEvent } from "./streams.ts";
import type { Tensor } from "./tensor.ts";

/** An uninitialised CPU tensor in memory that is pinned for `device`; a plain one on the processor. */
export const emptyPinned = (shape: readonly number[], dtype: DType, device: Device): Tensor =>
  isHost(device) ? empty(shape, { dtype }) : wrap(addon.emptyPinned(shape, dtype, device));

/** A pinned copy of a CPU tensor; the tensor itself, as a new reference, where nothing is to be pinned. */
export function pinned(tensor: Tensor, device: Device = "cuda"): Tensor {
  if (isHost(device) || isPinned(tensor)) return tensor.alias();
  return emptyPinned(tensor.shape, tensor.dtype, device).copy_(tensor);
}

/** Host numbers on a device, without waiting for what it is doing; on the processor, and of a device's own, as `to`. */
export function upload(tensor: Tensor, device: Device): Tensor {
  if (isHost(device) || !isHost(tensor.device)) return tensor.to(device);
  const staged = pinned(tensor, device);
  const copy = copyAsync_(empty([...tensor.shape], { dtype: tensor.dtype, device }), staged);
  // The allocator of pinned memory waits for the copy before it hands the memory out again.
  staged.dispose();
  return copy;
}

/** Numbers on their way from a device. */
export interface Download extends Disposable {
  /** The elements in row-major order, as `toArray`; waits until they are there. */
  toArray(): TypedArray;
}

/**
 * Sends a tensor's numbers to the host. Give the device more to do before asking for them: it works on meanwhile. Disposing
 * gives the numbers up.
 */
export function download(values: Tensor): Download {
  const { device } = values;
  if (isHost(device)) {
    const array = values.toArray();
    return { toArray: () => array, [Symbol.dispose]: () => {} };
  }
  const target = keep(emptyPinned(values.shape, values.dtype, device));
  const event = new DeviceEvent(device);
  scope(() => copyAsync_(target, values.contiguous()));
  event.record();
  return {
    toArray() {
      event.synchronize();
      return target.toArray();
    },
    [Symbol.dispose]() {
      event.dispose();
      target.dispose();
    },
  };
}

/** True for a CPU tensor in pinned memory. */
export const isPinned = (tensor: Tensor): boolean => addon.isPinned(tensor.handle);

/**
 * `target.copy_(source)` without waiting for the device, if the host's side is pinned: the source must stay as it is,
 * and the target's values are not there, until an event recorded after it is reached.
 */
export const copyAsync_ = (target: Tensor, source: Tensor): Tensor => target.copy_(source, true);
