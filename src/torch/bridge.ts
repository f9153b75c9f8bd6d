// Between operator wrappers and the addon: handles in, tensors out. Kept apart from tensor.ts so that the generated
// operators, which Tensor inherits, need no circular import.
import { addon, type Handle } from "./addon.ts";
import type { Tensor } from "./tensor.ts";

type TensorClass = new (handle: Handle) => Tensor;
let TensorConstructor: TensorClass;

/** Called once by tensor.ts. */
export function registerTensorClass(constructor: TensorClass): void {
  TensorConstructor = constructor;
}

export const call = addon.call;

/** A table of operators resolved at first use, so that one missing in an old libtorch hurts only its caller. */
export function operatorTable(names: readonly string[]): (index: number) => number {
  const resolved = new Int32Array(names.length).fill(-1);
  const resolve = (index: number): number => {
    const [name = "", overload = ""] = names[index]!.split(".");
    return (resolved[index] = addon.op(name, overload));
  };
  return (index) => (resolved[index]! >= 0 ? resolved[index]! : resolve(index));
}

export type TensorLike = Tensor | number | boolean;

/** What the addon takes for an argument: a tensor's handle, or the value itself. */
export const raw = (value: TensorLike | null | undefined): unknown =>
  typeof value === "object" && value !== null ? value.handle : value;

export const rawList = (values: readonly (Tensor | null | undefined)[] | null | undefined): unknown =>
  values?.map((value) => value?.handle);

export const wrap = (handle: unknown): Tensor => new TensorConstructor(handle as Handle);

export const wrapList = (handles: unknown): Tensor[] => (handles as Handle[]).map(wrap);

/** Wraps each tensor among an operator's several results; what is undefined stays so. */
export const wrapTuple = (results: unknown): unknown[] =>
  (results as unknown[]).map((result) =>
    Array.isArray(result) ? wrapList(result) : typeof result === "object" ? wrap(result) : result,
  );
