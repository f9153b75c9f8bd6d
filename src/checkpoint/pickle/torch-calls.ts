// torch's part of the allow-list: storages, dtypes and the functions that Python rebuilds tensors with.
import { type DType, dtypes } from "../../torch/index.ts";
import type { Call } from "./allow-list.ts";
import { shownName, type ReadContext } from "./context.ts";
import { checkedView, sizesOf } from "./tensor-view.ts";
import {
  type Args,
  type ElementType,
  elementType,
  list,
  nodeOf,
  type PyTensor,
  type PyValue,
  tupleOf,
  typeName,
} from "./values.ts";

const STORAGE_DTYPES: Readonly<Record<string, DType>> = {
  FloatStorage: "float32",
  DoubleStorage: "float64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

/** Storages by the names that files use, with the place of files written on a GPU too: everything is read to the CPU. */
const STORAGES: ReadonlyMap<string, ElementType> = new Map([
  ...Object.entries(STORAGE_DTYPES).flatMap(([name, dtype]) =>
    [`torch.${name}`, `torch.cuda.${name}`].map((full) => [full, elementType(dtype)] as const),
  ),
  ...["torch.UntypedStorage", "torch.storage.UntypedStorage"].map(
    (name) => [name, elementType("uint8")] as const,
  ),
]);

/** The element type of the storage that a persistent identifier names. */
export function storageElement(value: PyValue | undefined, context: ReadContext): ElementType {
  const name = nodeOf(value, "global")?.name;
  const element = name === undefined ? undefined : STORAGES.get(name);
  return element ?? context.fail(`a tensor's storage is a ${name ?? typeName(value)}`);
}

/** Names of dtypes that torch has and this library has not; as values they are harmless. */
const OTHER_DTYPES = [
  ...["uint16", "uint32", "uint64", "complex32", "complex64", "complex128"],
  ...["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"],
  ...["float4_e2m1fn_x2", "qint8", "quint8", "qint32"],
];
const DTYPES = [...Object.keys(dtypes), ...OTHER_DTYPES].map((name) => `torch.${name}`);

function rebuildTensor([storage, offset, size, stride, , , metadata]: Args, context: ReadContext): PyTensor {
  const extras = nodeOf(metadata, "dict")?.entries.size ?? 0;
  if (extras > 0) context.fail("a tensor carries conjugation or negation marks, which are not supported");
  const node = nodeOf(storage, "storage") ?? context.fail(`a tensor is made of a ${typeName(storage)}`);
  return checkedView({ storage: node, offset, size, stride }, context);
}

/** Version 3 exists for dtypes that the older storages could not name, none of which this library has. */
function refuseVersion3(args: Args, context: ReadContext): never {
  const dtype = nodeOf(args[6], "global")?.name ?? typeName(args[6]);
  const known = Object.keys(dtypes).join(", ");
  context.fail(`a tensor has the dtype ${shownName(dtype)}; supported are ${known} (convert it in Python)`);
}

/** A parameter is its tensor; that it takes gradients is for the reader to decide. */
const parameter = ([data]: Args, context: ReadContext): PyTensor =>
  nodeOf(data, "tensor") ?? context.fail(`a parameter is made of a ${typeName(data)}`);

const TENSOR_CALLS: readonly (readonly [string, Call])[] = [
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_tensor_v3", refuseVersion3],
  ["torch._utils._rebuild_parameter", parameter],
  ["torch._utils._rebuild_parameter_with_state", parameter],
];

const TENSOR_CLASSES = ["torch.Tensor", "torch.nn.parameter.Parameter"];

/** A tensor with Python attributes, which are left aside. */
function rebuildFromType([rebuild, type, args]: Args, context: ReadContext): PyValue {
  const [name, cls] = [nodeOf(rebuild, "global")?.name, nodeOf(type, "global")?.name ?? ""];
  const call = TENSOR_CALLS.find(([known]) => known === name)?.[1];
  if (!call || !TENSOR_CLASSES.includes(cls))
    context.fail(`a tensor of class ${shownName(cls)} is rebuilt by ${name ?? typeName(rebuild)}`);
  return call(tupleOf(args) ?? [], context);
}

function loadFromBytes([bytes]: Args, context: ReadContext): PyValue {
  const { range } = nodeOf(bytes, "bytes") ?? context.fail(`a file inside the file is a ${typeName(bytes)}`);
  return context.loadBytes(range);
}

/** torch.device("cuda", 0) is "cuda:0". */
function device([type, index]: Args, context: ReadContext): PyValue {
  const suffix = typeof index === "number" ? `:${index}` : "";
  const isIndex = index === undefined || /^:\d{1,4}$/.test(suffix);
  if (typeof type !== "string" || !/^[a-z]{1,16}(:\d{1,4})?$/.test(type) || !isIndex)
    context.fail(`a device is made of ${typeName(type)} and ${typeName(index)}`);
  return type + suffix;
}

const size = ([sizes]: Args, context: ReadContext): PyValue =>
  list("tuple", [...(sizesOf(sizes ?? list("tuple", [])) ?? context.fail("a torch.Size holds no sizes"))]);

export const TORCH_CALLS: readonly (readonly [string, Call])[] = [
  ...TENSOR_CALLS,
  ["torch._tensor._rebuild_from_type_v2", rebuildFromType],
  ["torch.storage._load_from_bytes", loadFromBytes],
  ["torch.device", device],
  ["torch.Size", size],
];

export const TORCH_NAMES: readonly string[] = [
  ...STORAGES.keys(),
  ...DTYPES,
  ...TENSOR_CLASSES,
  "torch.storage.TypedStorage",
];

/** How a global looks as a value: a dtype by its plain name, anything else in full. */
export const globalAsText = (name: string): string =>
  DTYPES.includes(name) ? name.slice("torch.".length) : name;
