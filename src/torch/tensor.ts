// The tensor: a handle on libtorch's own, with every listed operator as a method (ops.generated.ts).
import { addon, type Handle } from "./addon.ts";
import { registerTensorClass, wrap } from "./bridge.ts";
import { isHost, sameDevice } from "./device.ts";
import { type Device, type DType, dtypeOfArray, dtypes, isDType, type TypedArray } from "./dtype.ts";
import { ShapeError } from "./errors.ts";
import { TensorOps } from "./ops.generated.ts";
import { type Releasable, track } from "./scope.ts";

/**
 * A libtorch tensor. It is released by its scope, by `dispose()` / `using`, or at last by the collector.
 * Every use after release throws `DisposedTensorError`.
 */
export class Tensor extends TensorOps implements Releasable, Disposable {
  readonly handle: Handle;
  #shape: readonly number[] | undefined;
  #disposed = false;

  /** Takes ownership of a native handle; use `tensor()`, `zeros()` and the like instead. */
  constructor(handle: Handle) {
    super();
    this.handle = handle;
    track(this);
  }

  get shape(): readonly number[] {
    return (this.#shape ??= addon.sizes(this.handle));
  }

  get ndim(): number {
    return this.shape.length;
  }

  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get dtype(): DType {
    return addon.dtype(this.handle) as DType;
  }

  get device(): Device {
    return addon.device(this.handle);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees this reference; the memory goes when libtorch holds no other one (autograd graph, views). */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    addon.release(this.handle);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The value of a one-element tensor. Throws `TorchError` for any other; int64 beyond 2^53 is rounded. */
  item(): number {
    return Number(addon.item(this.handle));
  }

  /** The elements in row-major order, copied; float16 and bfloat16 come as float32. */
  toArray(): TypedArray {
    const { array: ArrayType, widenedTo } = dtypes[this.dtype];
    if (!isHost(this.device)) return temporary(this.to("cpu"), (local) => local.toArray());
    if (widenedTo) return temporary(this.to(widenedTo), (wide) => wide.toArray());
    if (!addon.isContiguous(this.handle)) return temporary(this.contiguous(), (dense) => dense.toArray());
    const bytes = new Uint8Array(this.numel * dtypes[this.dtype].bytes);
    addon.readBytes(this.handle, bytes);
    return new ArrayType(bytes.buffer);
  }

  /** The elements as plain numbers, row-major. */
  toNumbers(): number[] {
    return Array.from<number | bigint, number>(
      this.toArray() as Iterable<number | bigint> & ArrayLike<number>,
      Number,
    );
  }

  /**
   * Calls `fn` with the tensor's own memory, without a copy; the bytes must not be used after `fn` returns.
   * Needs a contiguous CPU tensor.
   */
  withBytes<T>(fn: (bytes: Uint8Array) => T): T {
    return addon.withBytes(this.handle, (buffer) => fn(new Uint8Array(buffer)));
  }

  /** This tensor in another dtype or on another device; itself (as a new reference) if nothing changes. */
  to(target: DType | Device | { dtype?: DType; device?: Device }): Tensor {
    const { dtype, device } =
      typeof target === "object"
        ? target
        : { dtype: isDType(target) ? target : undefined, device: isDType(target) ? undefined : target };
    const stays = device === undefined || sameDevice(device, this.device);
    const same = stays && (dtype ?? this.dtype) === this.dtype;
    return same ? this.alias() : this.toCopy({ dtype, device });
  }

  get requiresGrad(): boolean {
    return addon.requiresGrad(this.handle);
  }

  requiresGrad_(flag = true): this {
    addon.setRequiresGrad(this.handle, flag);
    return this;
  }

  get isLeaf(): boolean {
    return addon.isLeaf(this.handle);
  }

  /** The accumulated gradient, as a new reference. */
  get grad(): Tensor | undefined {
    const handle = addon.gradient(this.handle);
    return handle && wrap(handle);
  }

  set grad(gradient: Tensor | undefined) {
    addon.setGradient(this.handle, gradient?.handle);
  }

  /** Accumulates the gradients of this (by default scalar) tensor into the leaves it depends on. */
  backward(gradient?: Tensor, { retainGraph = false }: { retainGraph?: boolean } = {}): void {
    addon.backward([this.handle], [gradient?.handle], retainGraph);
  }

  override toString(): string {
    return this.disposed
      ? "Tensor(released)"
      : `Tensor(${this.dtype}, [${this.shape.join(", ")}], ${this.device})`;
  }
}

registerTensorClass(Tensor);

/** True for a 4-d tensor whose channels lie innermost: what "channels_last" makes of it. */
export const isChannelsLast = (tensor: Tensor): boolean => addon.isChannelsLast(tensor.handle);

function temporary<T>(tensor: Tensor, fn: (tensor: Tensor) => T): T {
  try {
    return fn(tensor);
  } finally {
    tensor.dispose();
  }
}

export type NestedNumbers = number | readonly NestedNumbers[];

function flattenInto(data: NestedNumbers, flat: number[], shape: number[], depth: number): void {
  if (typeof data === "number") {
    if (depth !== shape.length) throw new ShapeError(`tensor(): nested lists of different depth`);
    flat.push(data);
    return;
  }
  if (depth === shape.length && flat.length === 0) shape.push(data.length);
  if (shape[depth] !== data.length)
    throw new ShapeError(`tensor(): nested lists of different lengths (${shape[depth]} and ${data.length})`);
  for (const item of data) flattenInto(item, flat, shape, depth + 1);
}

/**
 * A tensor from numbers (nested lists become float32) or a typed array (its dtype is kept), copied once.
 * Throws `ShapeError` for ragged lists and `TorchError` if `shape` does not fit the number of elements.
 */
export function tensor(
  data: NestedNumbers | TypedArray,
  { shape, dtype, device }: { shape?: readonly number[]; dtype?: DType; device?: Device } = {},
): Tensor {
  let array: TypedArray;
  let ownShape: number[];
  if (ArrayBuffer.isView(data)) {
    array = data;
    ownShape = [array.length];
  } else {
    const flat: number[] = [];
    ownShape = [];
    flattenInto(data, flat, ownShape, 0);
    // float64 on the way to an integer dtype keeps whole numbers up to 2^53.
    array = dtype && dtype !== "float32" ? Float64Array.from(flat) : Float32Array.from(flat);
  }
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const made = wrap(addon.fromBytes(bytes, dtypeOfArray(array), shape ?? ownShape));
  if ((dtype ?? made.dtype) === made.dtype && isHost(device ?? "cpu")) return made;
  return temporary(made, (source) => source.to({ dtype, device }));
}
