// One part of the input on its way to the device: memory of the host that the device reads by itself, and memory of the
// device, written again for one part after the other.
import {
  copyAsync_,
  type Device,
  DeviceEvent,
  type DType,
  empty,
  emptyPinned,
  isHost,
  keep,
  Stream,
  Tensor,
  withStream,
} from "../../torch/index.ts";

/** Values of a part before the transfer. */
export type Staged =
  Tensor | { readonly bytes: Uint8Array; readonly shape: readonly number[]; readonly dtype: DType };

export interface Slot extends Disposable {
  /** Takes values by name and queues their transfer; they need not be kept. Waits only for a device that is a whole round behind. */
  fill(values: Readonly<Record<string, Staged | undefined>>): void;
  /** Lets the current stream wait for the transfer; gives the values on the device. They belong to the slot. */
  arrive(): ReadonlyMap<string, Tensor>;
  /** The mark of the transfer's end, for the measurement; the caller's. Undefined on the CPU. */
  takeArrival(): DeviceEvent | undefined;
  /** What is queued in the current stream is the last to use the values. */
  release(): void;
}

/** Slots whose transfers go through one stream, beside the device's other work. */
export function openSlots(device: Device, count: number): Slot[] {
  if (isHost(device)) return Array.from({ length: count }, hostSlot);
  // Transfers are few and waited for: they go before other work that is queued.
  const stream = Stream.create(device, { priority: "high" });
  return Array.from({ length: count }, () => deviceSlot(device, stream));
}

/** Without a device the values stay where they are. */
function hostSlot(): Slot {
  const values = new Map<string, Tensor>();
  return {
    fill: (staged) => put(values, staged, (shape, dtype) => empty(shape, { dtype })),
    arrive: () => values,
    takeArrival: () => undefined,
    release: () => undefined,
    [Symbol.dispose]: () => dispose(values),
  };
}

function deviceSlot(device: Device, stream: Stream): Slot {
  const host = new Map<string, Tensor>();
  const there = new Map<string, Tensor>();
  // Where the transfer from the host's memory ends, and the use of the device's.
  const [copied, used] = [new DeviceEvent(device), new DeviceEvent(device)];
  let arrival: DeviceEvent | undefined;
  const fit = (name: string, { shape, dtype }: Tensor): Tensor => {
    const own = there.get(name);
    if (own && sameShape(own.shape, shape)) return own;
    own?.dispose();
    const made = keep(empty(shape, { dtype, device }));
    there.set(name, made);
    // The allocator may give memory that work in the current stream still uses.
    used.record();
    return made;
  };
  return {
    fill(staged) {
      copied.synchronize();
      put(host, staged, (shape, dtype) => emptyPinned(shape, dtype, device));
      const pairs = Array.from(host, ([name, source]) => [fit(name, source), source] as const);
      arrival?.dispose();
      const mark = (arrival = new DeviceEvent(device, { timing: true }));
      withStream(stream, () => {
        stream.wait(used);
        for (const [target, source] of pairs) copyAsync_(target, source);
        mark.record(stream);
        copied.record(stream);
      });
    },
    arrive() {
      copied.wait();
      return there;
    },
    takeArrival() {
      const taken = arrival;
      arrival = undefined;
      return taken;
    },
    release: () => void used.record(),
    [Symbol.dispose]() {
      copied.synchronize();
      dispose(host);
      dispose(there);
      for (const event of [copied, used, arrival]) event?.dispose();
    },
  };
}

/** Copies values into tensors of their own, made where none of the shape is there. */
function put(
  into: Map<string, Tensor>,
  values: Readonly<Record<string, Staged | undefined>>,
  make: (shape: readonly number[], dtype: DType) => Tensor,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (!value) continue;
    let target = into.get(name);
    if (!target || !sameShape(target.shape, value.shape)) {
      target?.dispose();
      target = keep(make(value.shape, value.dtype));
      into.set(name, target);
    }
    if (value instanceof Tensor) target.copy_(value);
    else target.withBytes((bytes) => bytes.set(value.bytes));
  }
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

function dispose(tensors: Map<string, Tensor>): void {
  for (const tensor of tensors.values()) tensor.dispose();
  tensors.clear();
}
