// From the description of a pickle to values and tensors that the caller owns.
import { CheckpointError, InvDiffError, keep, scope, type Tensor } from "../../torch/index.ts";
import { rangeLength, readRange } from "./byte-source.ts";
import { shownName, type ReadContext } from "./context.ts";
import { type StorageTensors, viewTensor } from "./tensor-view.ts";
import { globalAsText } from "./torch-calls.ts";
import { isNode, type PyNode, type PyTensor, type PyValue, typeName } from "./values.ts";

/**
 * What a file holds: plain data, tensors, lists and tuples, dicts, sets. A Namespace is a map of its attributes, a dtype or device
 * its name, a numpy scalar a number, a numpy array a tensor. Objects that Python shares are shared here.
 */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tensor
  | readonly TorchValue[]
  | Map<TorchValue, TorchValue>
  | Set<TorchValue>;

/** Deeper trees than this are made to exhaust the stack of whoever walks them. */
const MAX_DEPTH = 200;
/** So are trees of more values than this, where a few shared lists count as often as they are reached. */
const MAX_VALUES = 2 ** 25;

/** Runs `fn` in a scope that leaves only the tensors it made, which the caller owns; when `fn` throws, none is left. */
export function makeTensors<T>(context: ReadContext, fn: (make: (view: PyTensor) => Tensor) => T): T {
  const made: Tensor[] = [];
  const storages: StorageTensors = new Map();
  const make = (view: PyTensor) => {
    const tensor = keep(viewTensor(view, storages, context));
    made.push(tensor);
    return tensor;
  };
  let result: T;
  try {
    scope(() => {
      result = fn(make);
    });
    return result!;
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    if (!(error instanceof InvDiffError) || error instanceof CheckpointError) throw error;
    return context.fail(`libtorch cannot make one of its tensors (${error.message})`, error);
  }
}

interface Made {
  readonly value: TorchValue;
  /** Containers below and including this one, along the deepest path. */
  readonly height: number;
  /** Values below and including this one, shared ones counted each time. */
  readonly count: number;
}

/** The whole tree. Throws CheckpointError for one that contains itself, or is too deep or too large to be walked. */
export function toValue(root: PyValue, context: ReadContext): TorchValue {
  const done = new Map<PyNode, Made>();
  const open = new Set<PyNode>();
  const path: string[] = [];
  return context.within(
    () => shownName(path.slice(-8).join(".")),
    () => makeTensors(context, (make) => visit(root, make).value),
  );

  function visit(value: PyValue, make: (view: PyTensor) => Tensor): Made {
    if (!isNode(value)) return { value, height: 0, count: 1 };
    const known = done.get(value);
    if (known) return known;
    if (open.has(value)) context.fail("one of its objects contains itself");
    open.add(value);
    const made = convert(value, make);
    open.delete(value);
    if (made.height > MAX_DEPTH || open.size > MAX_DEPTH)
      context.fail(`its objects are nested more than ${MAX_DEPTH} deep`);
    if (!(made.count <= MAX_VALUES))
      context.fail(`its objects repeat each other into more than ${MAX_VALUES} values`);
    done.set(value, made);
    return made;
  }

  function convert(node: PyNode, make: (view: PyTensor) => Tensor): Made {
    if (open.size > MAX_DEPTH) context.fail(`its objects are nested more than ${MAX_DEPTH} deep`);
    let [height, count] = [0, 1];
    const child = (value: PyValue, key: string): TorchValue => {
      path.push(key);
      const made = visit(value, make);
      path.pop();
      height = Math.max(height, made.height);
      count += made.count;
      return made.value;
    };
    const entries = (map: ReadonlyMap<PyValue, PyValue>) => {
      context.spend(256 + 48 * map.size);
      return new Map(
        Array.from(map, ([key, value]) => [child(key, "key"), child(value, keyText(key))] as const),
      );
    };
    const items = (values: readonly PyValue[]) => {
      context.spend(64 + 8 * values.length);
      return values.map((item, index) => child(item, String(index)));
    };
    const finish = (value: TorchValue): Made => ({ value, height: height + 1, count });
    switch (node.kind) {
      case "list":
      case "tuple":
        return finish(items(node.items));
      case "set":
      case "frozenset":
        return finish(new Set(items(node.items)));
      case "dict":
      case "object":
        return finish(entries(node.entries));
      default:
        return { value: leaf(node, make), height: 0, count: 1 };
    }
  }

  function leaf(node: PyNode, make: (view: PyTensor) => Tensor): TorchValue {
    switch (node.kind) {
      case "tensor":
        return make(node);
      case "array":
        return make(node.content ?? context.fail("one of its numpy arrays has no content"));
      case "storage": {
        const { numel } = node;
        return make({ kind: "tensor", storage: node, offset: 0, shape: [numel], stride: [1] });
      }
      case "bytes":
        context.spend(rangeLength(node.range));
        return new Uint8Array(readRange(node.range));
      case "global":
        return globalAsText(node.name);
      case "numpy dtype":
        return node.code;
      default:
        return context.fail(`it holds a ${typeName(node)}`);
    }
  }
}

/** A key as part of a dotted path. */
export const keyText = (key: PyValue): string => (isNode(key) ? `<${typeName(key)}>` : String(key));
