// What a pickle holds, before tensors are made of it: plain data as it is, everything else as a description.
import { type DType, dtypes } from "../../torch/index.ts";
import type { ByteRange } from "./byte-source.ts";

/** How the elements of a storage lie in the file, and the dtype that they are read as. */
export interface ElementType {
  /** Name in the file, such as "float32" or numpy's "uint32". */
  readonly name: string;
  readonly bytes: number;
  readonly dtype: DType;
  /** Unsigned numbers of numpy have no dtype here and are widened. */
  readonly widen?: "uint16" | "uint32";
}

export const elementType = (dtype: DType): ElementType => ({
  name: dtype,
  bytes: dtypes[dtype].bytes,
  dtype,
});

export interface PyBytes {
  readonly kind: "bytes";
  readonly range: ByteRange;
}

export interface PyList {
  readonly kind: "list" | "tuple" | "set" | "frozenset";
  readonly items: PyValue[];
}

export interface PyDict {
  readonly kind: "dict";
  readonly entries: Map<PyValue, PyValue>;
}

/** An instance of argparse.Namespace: its attributes. */
export interface PyObject {
  readonly kind: "object";
  readonly entries: Map<PyValue, PyValue>;
}

/** Something named by module and name; `dtype` is set where the name stands for one. */
export interface PyGlobal {
  readonly kind: "global";
  readonly name: string;
  readonly allowed: boolean;
}

export interface PyStorage {
  readonly kind: "storage";
  readonly element: ElementType;
  readonly numel: number;
  /** In the old format the bytes come after the pickle. */
  range?: ByteRange;
}

/** A view of a storage, checked to lie inside. */
export interface PyTensor {
  readonly kind: "tensor";
  readonly storage: PyStorage;
  /** In elements, like the strides. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

export interface PyNumpyDType {
  readonly kind: "numpy dtype";
  readonly code: string;
}

/** numpy makes an empty array first and fills it by its state. */
export interface PyArray {
  readonly kind: "array";
  content?: PyTensor;
}

/** What a refused global would have made: never made, only listed. */
export interface PyOpaque {
  readonly kind: "opaque";
  readonly what: string;
  state?: PyValue;
}

export type PyNode =
  PyBytes | PyList | PyDict | PyObject | PyGlobal | PyStorage | PyTensor | PyNumpyDType | PyArray | PyOpaque;

export type PyValue = null | boolean | number | bigint | string | PyNode;

/** Arguments of a call, all of them optional: what is missing is undefined. */
export type Args = readonly PyValue[];

export const isNode = (value: PyValue | undefined): value is PyNode =>
  typeof value === "object" && value !== null;

/** The node type that may have that kind. */
type NodeOf<K extends PyNode["kind"], N = PyNode> = N extends { kind: infer T }
  ? K extends T
    ? N
    : never
  : never;

/** `value` when it is a node of that kind. */
export const nodeOf = <K extends PyNode["kind"]>(
  value: PyValue | undefined,
  kind: K,
): NodeOf<K> | undefined => (isNode(value) && value.kind === kind ? (value as NodeOf<K>) : undefined);

/** The items when `value` is a tuple. */
export const tupleOf = (value: PyValue | undefined): readonly PyValue[] | undefined =>
  isNode(value) && value.kind === "tuple" ? value.items : undefined;

export const list = (kind: PyList["kind"], items: PyValue[]): PyList => ({ kind, items });
export const dict = (entries: Map<PyValue, PyValue> = new Map<PyValue, PyValue>()): PyDict => ({
  kind: "dict",
  entries,
});

/** Number of elements of a shape. */
export const numelOf = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** Python's name of a value's type, for messages. */
export function typeName(value: PyValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  if (typeof value === "bigint") return "int";
  if (typeof value === "string") return "str";
  return value.kind === "opaque" ? value.what : value.kind;
}
