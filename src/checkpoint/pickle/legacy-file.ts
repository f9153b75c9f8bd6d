// torch's format before 1.6, which pickled tensors still hold inside: three small pickles, the object, the storages' keys, their bytes.
import { type ByteRange } from "./byte-source.ts";
import { shownName, type ReadContext } from "./context.ts";
import { type Cursor, cursorOf } from "./cursor.ts";
import { readCount } from "./literals.ts";
import { storageElement } from "./torch-calls.ts";
import { unpickle, type Unpickled } from "./unpickler.ts";
import { isNode, nodeOf, type PyStorage, type PyValue, tupleOf } from "./values.ts";
import { storageId } from "./zip-file.ts";

/** The number that begins a file of this format. */
export const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

const noStorages = (context: ReadContext) => () => context.fail("it keeps an object outside of its pickle");

/** The object of a file that `torch.save` wrote into other bytes. Throws CheckpointError. */
export function readLegacyBytes(range: ByteRange, context: ReadContext): PyValue {
  const cursor = cursorOf(range, context);
  if (unpickle(cursor, context, noStorages(context)).value !== LEGACY_MAGIC)
    context.fail("a file inside the file does not begin as torch.save begins it");
  return readLegacyFile(cursor, context).value;
}

/** Everything after the magic number; the cursor must be there and is at the end afterwards. Throws CheckpointError. */
export function readLegacyFile(cursor: Cursor, context: ReadContext): Unpickled {
  const plain = () => unpickle(cursor, context, noStorages(context)).value;
  const version = plain();
  if (version !== VERSION) context.fail(`its format version is not ${VERSION}`);
  const system = nodeOf(plain(), "dict")?.entries;
  if (system?.get("little_endian") !== true) context.fail("it is not from a little-endian machine");

  const storages = new Map<string, PyStorage>();
  const views = new Map<PyStorage, { root: PyStorage; offset: number }>();
  const load = (id: PyValue): PyValue => {
    const module = tupleOf(id);
    // ("module", class, source file, source): a class with its text, for a warning that nobody needs.
    if (module?.[0] === "module" && nodeOf(module[1], "global")) return module[1]!;
    const [type, key, numel, view] = storageId(id, context);
    const element = storageElement(type, context);
    const known = storages.get(key);
    if (known && (known.element.name !== element.name || known.numel !== numel))
      context.fail(`the storage ${shownName(key)} is described in two different ways`);
    context.spend(256);
    const root = known ?? { kind: "storage", element, numel };
    storages.set(key, root);
    return view === null ? root : viewOf(root, view);
  };
  const viewOf = (root: PyStorage, view: PyValue): PyStorage => {
    const [, offset, numel] = tupleOf(view) ?? [];
    const fits = [offset, numel].every((value) => Number.isSafeInteger(value) && (value as number) >= 0);
    if (!fits || (offset as number) + (numel as number) > root.numel)
      context.fail("a view of a storage reaches beyond it");
    const storage: PyStorage = { kind: "storage", element: root.element, numel: numel as number };
    views.set(storage, { root, offset: offset as number });
    return storage;
  };

  const unpickled = unpickle(cursor, context, load);
  readStorages(cursor, { storages, keys: plain() }, context);
  for (const [storage, { root, offset }] of views) {
    const { source, begin } = root.range!;
    const viewBegin = begin + offset * root.element.bytes;
    storage.range = { source, begin: viewBegin, end: viewBegin + storage.numel * root.element.bytes };
  }
  if (cursor.left() > 0) context.fail(`${cursor.left()} bytes follow its last storage`);
  return unpickled;
}

/** Gives every storage its bytes: a count of elements and the data, in the order of `keys`. */
function readStorages(
  cursor: Cursor,
  { storages, keys }: { storages: ReadonlyMap<string, PyStorage>; keys: PyValue },
  context: ReadContext,
): void {
  const names =
    isNode(keys) && keys.kind === "list" ? keys.items : context.fail("its list of storages is no list");
  for (const key of names) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (typeof key !== "string" || !storage || storage.range)
      context.fail("its list of storages does not fit its pickle");
    const count = readCount(cursor.take(8));
    if (count !== storage.numel)
      context.fail(`the storage ${shownName(key)} has ${count} elements, the pickle says ${storage.numel}`);
    storage.range = cursor.skip(count * storage.element.bytes);
  }
  const missing = [...storages].find(([, { range }]) => !range);
  if (missing) context.fail(`the storage ${shownName(missing[0])} is not in the file`);
}
