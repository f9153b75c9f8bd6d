// numpy's part of the allow-list: scalars, and arrays of plain numbers, such as the states of random generators.
import { type DType } from "../../torch/index.ts";
import type { Call } from "./allow-list.ts";
import { rangeLength, readRange } from "./byte-source.ts";
import type { ReadContext } from "./context.ts";
import { shownName } from "./context.ts";
import { wholeNumber } from "./literals.ts";
import { checkedView, sizesOf } from "./tensor-view.ts";
import {
  type Args,
  type ElementType,
  elementType,
  list,
  nodeOf,
  numelOf,
  type PyArray,
  type PyStorage,
  type PyTensor,
  type PyValue,
  tupleOf,
  typeName,
} from "./values.ts";

interface NumpyType {
  /** Absent: readable as a scalar only. */
  readonly element?: ElementType;
  readonly bytes: number;
  readonly scalar: (view: DataView) => boolean | number | bigint;
}

const plain = (dtype: DType, scalar: NumpyType["scalar"]): NumpyType => {
  const element = elementType(dtype);
  return { element, bytes: element.bytes, scalar };
};
const unsigned = (name: "uint16" | "uint32", dtype: DType, scalar: NumpyType["scalar"]): NumpyType => {
  const bytes = name === "uint16" ? 2 : 4;
  return { element: { name, bytes, dtype, widen: name }, bytes, scalar };
};

const TYPES: ReadonlyMap<string, NumpyType> = new Map([
  ["b1", plain("bool", (view) => view.getUint8(0) !== 0)],
  ["i1", plain("int8", (view) => view.getInt8(0))],
  ["i2", plain("int16", (view) => view.getInt16(0, true))],
  ["i4", plain("int32", (view) => view.getInt32(0, true))],
  ["i8", plain("int64", (view) => wholeNumber(view.getBigInt64(0, true)))],
  ["u1", plain("uint8", (view) => view.getUint8(0))],
  ["u2", unsigned("uint16", "int32", (view) => view.getUint16(0, true))],
  ["u4", unsigned("uint32", "int64", (view) => view.getUint32(0, true))],
  ["u8", { bytes: 8, scalar: (view) => wholeNumber(view.getBigUint64(0, true)) }],
  ["f2", plain("float16", (view) => halfValue(view.getUint16(0, true)))],
  ["f4", plain("float32", (view) => view.getFloat32(0, true))],
  ["f8", plain("float64", (view) => view.getFloat64(0, true))],
]);

/** The number that 16 bits of IEEE 754 half precision stand for. */
function halfValue(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function typeOf(value: PyValue | undefined, context: ReadContext): NumpyType {
  const code = nodeOf(value, "numpy dtype")?.code;
  const type = code === undefined ? undefined : TYPES.get(code);
  const known = [...TYPES.keys()].join(", ");
  return (
    type ?? context.fail(`a numpy dtype is ${shownName(code ?? typeName(value))}; supported are ${known}`)
  );
}

/** numpy.dtype("f4", False, True) */
function makeDType([code]: Args, context: ReadContext): PyValue {
  if (typeof code !== "string") context.fail(`a numpy dtype is made of a ${typeName(code)}`);
  return { kind: "numpy dtype", code };
}

/** numpy.core.multiarray.scalar(dtype, bytes) */
function makeScalar([dtype, bytes]: Args, context: ReadContext): PyValue {
  const type = typeOf(dtype, context);
  const node = nodeOf(bytes, "bytes") ?? context.fail(`a numpy scalar is made of a ${typeName(bytes)}`);
  if (rangeLength(node.range) !== type.bytes)
    context.fail(`a numpy scalar of ${type.bytes} bytes is made of ${rangeLength(node.range)}`);
  const data = readRange(node.range);
  return type.scalar(new DataView(data.buffer, data.byteOffset, data.byteLength));
}

/** numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b"b"): an empty array, which its state fills. */
function reconstruct([cls]: Args, context: ReadContext): PyArray {
  if (nodeOf(cls, "global")?.name !== "numpy.ndarray") context.fail("an array is not of class numpy.ndarray");
  context.spend(128);
  return { kind: "array" };
}

/** numpy.core.numeric._frombuffer(bytes, dtype, shape, order): arrays in protocol 5. */
const fromBuffer = ([bytes, dtype, shape, order]: Args, context: ReadContext): PyTensor =>
  arrayView({ bytes, dtype, shape, columnMajor: order === "F" }, context);

/** Fills what `dtype.__setstate__` and `ndarray.__setstate__` fill. */
export function fillNumpy(target: PyValue, state: PyValue, context: ReadContext): PyValue {
  const items = tupleOf(state) ?? context.fail(`numpy's state is a ${typeName(state)}`);
  const array = nodeOf(target, "array");
  if (array) {
    const [, shape, dtype, fortran, bytes] = items;
    array.content = arrayView({ bytes, dtype, shape, columnMajor: fortran === true }, context);
  } else if (items[1] !== "<" && items[1] !== "|" && items[1] !== "=")
    context.fail("a numpy dtype is not little-endian");
  return target;
}

interface RawArray {
  readonly bytes: PyValue | undefined;
  readonly dtype: PyValue | undefined;
  readonly shape: PyValue | undefined;
  readonly columnMajor: boolean;
}

function arrayView({ bytes, dtype, shape, columnMajor }: RawArray, context: ReadContext): PyTensor {
  const { element } = typeOf(dtype, context);
  if (!element) context.fail("an array of uint64 has no dtype here");
  const sizes = sizesOf(shape) ?? context.fail("a numpy array's shape is no list of sizes");
  const node = nodeOf(bytes, "bytes") ?? context.fail(`a numpy array's data is a ${typeName(bytes)}`);
  const numel = numelOf(sizes);
  const held = rangeLength(node.range);
  if (numel * element.bytes !== held)
    context.fail(
      `a numpy array of shape [${sizes.join(", ")}] needs ${numel * element.bytes} bytes, it has ${held}`,
    );
  const storage: PyStorage = { kind: "storage", element, numel, range: node.range };
  const stride = list("tuple", stridesOf(sizes, columnMajor));
  return checkedView({ storage, offset: 0, size: list("tuple", sizes), stride }, context);
}

function stridesOf(shape: readonly number[], columnMajor: boolean): number[] {
  const stride = new Array<number>(shape.length).fill(1);
  const axes = [...shape.keys()];
  if (!columnMajor) axes.reverse();
  let step = 1;
  for (const axis of axes) {
    stride[axis] = step;
    step *= Math.max(shape[axis]!, 1);
  }
  return stride;
}

const CORES = ["numpy.core", "numpy._core"];

export const NUMPY_CALLS: readonly (readonly [string, Call])[] = [
  ["numpy.dtype", makeDType],
  ...CORES.map((core) => [`${core}.multiarray.scalar`, makeScalar] as const),
  ...CORES.map((core) => [`${core}.multiarray._reconstruct`, reconstruct] as const),
  ...CORES.map((core) => [`${core}.numeric._frombuffer`, fromBuffer] as const),
];

export const NUMPY_NAMES: readonly string[] = ["numpy.ndarray"];
