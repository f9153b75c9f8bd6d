// Views of storages: checked when the pickle describes them, mapped when a tensor is asked for.
import { dtypes, scope, type Tensor, tensor, zeros } from "../../torch/index.ts";
import { rangeLength, readRange } from "./byte-source.ts";
import type { ReadContext } from "./context.ts";
import { isNode, numelOf, type PyStorage, type PyTensor, type PyValue } from "./values.ts";

/** libtorch's own limit. */
const MAX_DIMENSIONS = 64;

/** A tuple or list of whole numbers of at least 0; undefined for anything else. */
export function sizesOf(value: PyValue | undefined): number[] | undefined {
  if (!isNode(value) || (value.kind !== "tuple" && value.kind !== "list")) return undefined;
  const isSize = (item: PyValue): item is number => Number.isSafeInteger(item) && (item as number) >= 0;
  return value.items.every(isSize) ? value.items : undefined;
}

interface RawView {
  readonly storage: PyStorage;
  readonly offset: PyValue | undefined;
  readonly size: PyValue | undefined;
  readonly stride: PyValue | undefined;
}

/** The view that the file describes, when every element of it lies inside the storage. */
export function checkedView({ storage, offset, size, stride }: RawView, context: ReadContext): PyTensor {
  const [shape, steps] = [sizesOf(size), sizesOf(stride)];
  if (!shape || !steps || shape.length !== steps.length || shape.length > MAX_DIMENSIONS)
    context.fail("a tensor's shape and strides are not two lists of sizes of the same length");
  if (!Number.isSafeInteger(offset) || (offset as number) < 0)
    context.fail("a tensor's storage offset is not a whole number of at least 0");
  const view: PyTensor = { kind: "tensor", storage, offset: offset as number, shape, stride: steps };
  const shown = `a tensor of shape [${shape.join(", ")}] and strides [${steps.join(", ")}]`;
  // Also of an empty tensor: libtorch multiplies the other sizes.
  const product = numelOf(shape.filter((length) => length > 0)) * storage.element.bytes;
  if (!Number.isSafeInteger(product)) context.fail(`${shown} has more bytes than can be counted`);
  context.spend(1024);
  const extent = extentOf(view);
  if (!(view.offset + extent <= storage.numel))
    context.fail(
      `${shown} at offset ${view.offset} reaches element ${view.offset + extent} of a storage of ${storage.numel}`,
    );
  // An expanded tensor repeats its elements: whoever copies it pays for all of them.
  if (numelOf(shape) > storage.numel) context.spend(product);
  return view;
}

/** Elements of the storage from the view's first to its last, both included. */
const extentOf = ({ shape, stride }: PyTensor): number =>
  shape.includes(0) ? 0 : shape.reduce((extent, size, axis) => extent + (size - 1) * stride[axis]!, 1);

export type StorageTensors = Map<PyStorage, Tensor>;

/** The tensor of a view, in the current scope; views of one storage share memory through `storages`. */
export function viewTensor(view: PyTensor, storages: StorageTensors, context: ReadContext): Tensor {
  const { storage, offset, shape, stride } = view;
  if (shape.includes(0)) return zeros([...shape], { dtype: storage.element.dtype });
  // The steps towards a view count as memory as large as the view, and too much of it wakes the collector: scopes end them early.
  const elements = storages.get(storage) ?? scope(() => storageTensor(storage, context));
  storages.set(storage, elements);
  return scope(() => elements.slice(0, offset, offset + extentOf(view)).asStrided([...shape], [...stride]));
}

function storageTensor({ element, range, numel }: PyStorage, context: ReadContext): Tensor {
  const bytes = numel * element.bytes;
  if (!range || rangeLength(range) < bytes) context.fail("a tensor has no data");
  if (element.widen) {
    context.spend(4 * bytes);
    return widened(readRange(range), element.widen);
  }
  const { mapped } = range.source;
  const aligned = !mapped || range.begin % dtypes[element.dtype].bytes === 0;
  if (!mapped || !aligned) context.spend(bytes);
  const raw = range.source.tensor(range.begin, range.begin + bytes);
  // A view of another dtype needs aligned data: what is not aligned is copied.
  return (aligned ? raw : raw.clone()).viewDtype(element.dtype);
}

function widened(bytes: Uint8Array, from: "uint16" | "uint32"): Tensor {
  const aligned = new Uint8Array(bytes).buffer;
  if (from === "uint16") return tensor(Int32Array.from(new Uint16Array(aligned)));
  return tensor(BigInt64Array.from(Array.from(new Uint32Array(aligned), BigInt)));
}
