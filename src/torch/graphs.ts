// Graphs: a fixed sequence of kernels, captured once and started as one, without the host's part of each call.
import { addon, type Handle } from "./addon.ts";
import { emptyCache, synchronize } from "./accelerator.ts";
import { isHost } from "./device.ts";
import type { Device } from "./dtype.ts";
import { OutOfMemoryError, TorchError } from "./errors.ts";
import { DeviceEvent, Stream, withStream } from "./streams.ts";

/** True where a `DeviceGraph` can be made. */
export const supportsGraphs = (device: Device): boolean => !isHost(device) && addon.supportsGraphs(device);

const FORBIDDEN =
  "While a graph is captured nothing is computed, so nothing may wait for the device or read from it: no item(), " +
  "toArray() or nonzero(), no copy from or to host memory that is not pinned, no pinned memory made on the way";

/**
 * A captured sequence of kernels. A replay runs them again on the same memory: inputs are copied into the tensors that
 * the captured function read, results are read from those that it gave, and numbers of the host stay as they were.
 */
export class DeviceGraph implements Disposable {
  readonly device: Device;
  readonly #handle: Handle;
  readonly #stream: Stream;
  #captured = false;

  /** Throws `TorchError` where there are no graphs. */
  constructor(device: Device) {
    if (!supportsGraphs(device))
      throw new TorchError(`graphs need an accelerator, got device '${device}': ask supportsGraphs() first`);
    this.device = device;
    this.#handle = addon.newGraph(device);
    this.#stream = Stream.create(device);
  }

  get captured(): boolean {
    return this.#captured;
  }

  /**
   * Runs `fn` for real on the graph's own stream, the current stream waiting before and after: libraries choose their
   * kernels and take their work space then, which they could not in a capture.
   */
  warmup<T>(fn: () => T): T {
    return this.#between(() => withStream(this.#stream, fn));
  }

  /**
   * Runs `fn` once without computing and keeps its kernels; gives what `fn` gave, tensors whose values come with each
   * replay. Throws `TorchError` naming the operator that cannot be captured; the graph is empty then.
   */
  capture<T>(fn: () => T): T {
    if (this.#captured) throw new TorchError("this graph is captured already: make another");
    // Memory in the cache cannot be used by the graph, which has its own.
    synchronize(this.device);
    emptyCache(this.device);
    return this.#between(() => withStream(this.#stream, () => this.#record(fn)));
  }

  /** Starts the captured kernels on the current stream. */
  replay(): void {
    if (!this.#captured) throw new TorchError("the graph has nothing to replay: capture() comes first");
    addon.replayGraph(this.#handle);
  }

  /** Frees the graph and its memory; tensors that `capture` gave must not be read after. */
  dispose(): void {
    this.#captured = false;
    addon.releaseGraph(this.#handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #between<T>(fn: () => T): T {
    using before = new DeviceEvent(this.device);
    using after = new DeviceEvent(this.device);
    this.#stream.wait(before.record());
    try {
      return fn();
    } finally {
      after.record(this.#stream).wait();
    }
  }

  #record<T>(fn: () => T): T {
    addon.beginCapture(this.#handle);
    let result: T;
    try {
      result = fn();
    } catch (error) {
      addon.abandonCapture(this.#handle);
      if (!(error instanceof TorchError) || error instanceof OutOfMemoryError) throw error;
      throw new TorchError(`a graph could not be captured: ${error.message}\n${FORBIDDEN}.`, {
        cause: error,
      });
    }
    try {
      addon.endCapture(this.#handle);
    } catch (error) {
      addon.abandonCapture(this.#handle);
      if (!(error instanceof TorchError) || error instanceof OutOfMemoryError) throw error;
      throw new TorchError(`a graph could not be finished: ${error.message}\n${FORBIDDEN}.`, {
        cause: error,
      });
    }
    this.#captured = true;
    return result;
  }
}
