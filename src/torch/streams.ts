// Queues of a device's work and marks in them. On the processor everything is done when the call returns, so a stream
// is never busy and an event is a moment of the host's clock.
import { addon, type Handle } from "./addon.ts";
import type { Device } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

/** A queue of work: what is in one runs in order, what is in two runs side by side. */
export class Stream {
  readonly handle: Handle;
  readonly device: Device;

  private constructor(handle: Handle) {
    this.handle = handle;
    this.device = addon.streamDevice(handle);
  }

  /** The stream that takes this thread's work on the device. */
  static current(device: Device): Stream {
    return new Stream(addon.currentStream(device));
  }

  /** Another stream, from libtorch's pool (32 of each priority, handed out in turn). */
  static create(device: Device, { priority = "normal" }: { priority?: "high" | "normal" } = {}): Stream {
    return new Stream(addon.newStream(device, priority === "high"));
  }

  /** Waits until the stream has done all that it was given. */
  synchronize(): void {
    addon.synchronizeStream(this.handle);
  }

  /** True when the stream has nothing left to do. */
  query(): boolean {
    return addon.queryStream(this.handle);
  }

  /** The stream goes on only when the event is reached; the program does not wait. */
  wait(event: DeviceEvent): void {
    addon.blockEvent(event.handle, this.handle);
  }
}

/** Runs a synchronous function with its work on the device going to `stream`; restores the one before, also on throw. */
export function withStream<T>(stream: Stream, fn: () => T): T {
  const before = addon.exchangeStream(stream.handle);
  try {
    return fn();
  } finally {
    addon.exchangeStream(before);
  }
}

/** A mark in a stream. */
export class DeviceEvent implements Disposable {
  readonly handle: Handle;
  readonly device: Device;

  /** With `timing` the event can be asked for `elapsedMs`; without, it costs less. */
  constructor(device: Device, { timing = false }: { timing?: boolean } = {}) {
    this.device = device;
    this.handle = addon.newEvent(device, timing);
  }

  /** Puts the mark at the end of the stream (default: the current one); a second time moves it. */
  record(stream: Stream = Stream.current(this.device)): this {
    addon.recordEvent(this.handle, stream.handle);
    return this;
  }

  /** Lets the stream (default: the current one) go on only when the mark is reached; nothing if never recorded. */
  wait(stream: Stream = Stream.current(this.device)): void {
    stream.wait(this);
  }

  /** Waits until the mark is reached; at once if never recorded. */
  synchronize(): void {
    addon.synchronizeEvent(this.handle);
  }

  /** True when the mark is reached, or was never recorded. */
  query(): boolean {
    return addon.queryEvent(this.handle);
  }

  /** Milliseconds on the device between an earlier mark and this one; both with timing and reached. */
  elapsedMs(since: DeviceEvent): number {
    return addon.elapsedMs(this.handle, since.handle);
  }

  /** Frees the native event; the collector does so at last. */
  dispose(): void {
    addon.releaseEvent(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Keeps the tensor's memory from being handed out again before `stream`, which also reads it, has got there. */
export const recordStream = (tensor: Tensor, stream: Stream): void =>
  addon.recordStream(tensor.handle, stream.handle);
