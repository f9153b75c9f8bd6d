// Element types: libtorch's names, their sizes, and the typed arrays that hold them in JavaScript.

export type DType =
  "float32" | "float64" | "float16" | "bfloat16" | "int64" | "int32" | "int16" | "int8" | "uint8" | "bool";

/** "cpu", "cuda" or "cuda:N"; "meta" for shapes without memory. */
export type Device = "cpu" | "cuda" | "meta" | (string & {});

export type MemoryFormat = "contiguous_format" | "preserve_format" | "channels_last" | "channels_last_3d";

export type TypedArray =
  Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

interface DTypeInfo {
  readonly bytes: number;
  /** The JavaScript array of `Tensor.toArray()`; the 16-bit floats are widened to float32. */
  readonly array: new (buffer: ArrayBufferLike, byteOffset?: number, length?: number) => TypedArray;
  readonly widenedTo?: DType;
}

export const dtypes: Readonly<Record<DType, DTypeInfo>> = {
  float32: { bytes: 4, array: Float32Array },
  float64: { bytes: 8, array: Float64Array },
  float16: { bytes: 2, array: Float32Array, widenedTo: "float32" },
  bfloat16: { bytes: 2, array: Float32Array, widenedTo: "float32" },
  int64: { bytes: 8, array: BigInt64Array },
  int32: { bytes: 4, array: Int32Array },
  int16: { bytes: 2, array: Int16Array },
  int8: { bytes: 1, array: Int8Array },
  uint8: { bytes: 1, array: Uint8Array },
  bool: { bytes: 1, array: Uint8Array },
};

export const isDType = (name: string): name is DType => Object.hasOwn(dtypes, name);

/** The dtype whose elements a typed array holds. */
export function dtypeOfArray(array: TypedArray): DType {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  if (array instanceof BigInt64Array) return "int64";
  if (array instanceof Int32Array) return "int32";
  if (array instanceof Int16Array) return "int16";
  if (array instanceof Int8Array) return "int8";
  return "uint8";
}
