// torch's format since 1.6: a zip archive of one pickle and one entry per storage.
import { type ByteRange, type ByteSource, rangeLength, readRange } from "./byte-source.ts";
import { shownName, type ReadContext } from "./context.ts";
import { cursorOf } from "./cursor.ts";
import { storageElement } from "./torch-calls.ts";
import { unpickle, type Unpickled } from "./unpickler.ts";
import { type PyStorage, type PyValue, tupleOf, typeName } from "./values.ts";
import { readZipDirectory } from "./zip-directory.ts";

const PICKLE = "/data.pkl";

/** The object of a zip file; its storages point into the archive. Throws CheckpointError. */
export function readZipFile(source: ByteSource, context: ReadContext): Unpickled {
  const files = readZipDirectory(source, context);
  const roots = [...files.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const root = roots[0]?.slice(0, -PICKLE.length);
  if (root === undefined || roots.length > 1) {
    const names = [...files.keys()].slice(0, 8).map(shownName).join(", ");
    context.fail(`it is a zip archive with ${roots.length} pickles of torch; it holds ${names || "nothing"}`);
  }
  if (files.has(`${root}/constants.pkl`))
    context.fail("it is a TorchScript program; save the model's state_dict() with torch.save instead");
  checkByteOrder(files.get(`${root}/byteorder`), context);
  const storages = new Map<string, PyStorage>();
  const load = (id: PyValue): PyStorage => {
    const [type, key, numel] = storageId(id, context);
    const element = storageElement(type, context);
    const known = storages.get(key);
    if (known?.element.name === element.name && known.numel === numel) return known;
    const range = files.get(`${root}/data/${key}`);
    if (!range) context.fail(`the storage ${shownName(key)} is not in the archive`);
    if (rangeLength(range) !== numel * element.bytes)
      context.fail(
        `the storage ${shownName(key)} of ${numel} ${element.name} needs ${numel * element.bytes} bytes, its entry has ${rangeLength(range)}`,
      );
    context.spend(256);
    const storage: PyStorage = { kind: "storage", element, numel, range };
    storages.set(key, storage);
    return storage;
  };
  const cursor = cursorOf(files.get(root + PICKLE)!, context);
  const unpickled = unpickle(cursor, context, load);
  if (cursor.left() > 0) context.fail(`${cursor.left()} bytes follow its pickle`);
  return unpickled;
}

function checkByteOrder(range: ByteRange | undefined, context: ReadContext): void {
  if (!range) return; // older versions did not write it
  const order = rangeLength(range) > 16 ? "?" : Buffer.from(readRange(range)).toString("latin1");
  if (order !== "little") context.fail(`its byte order is ${shownName(order)}; only little is read`);
}

/** ("storage", type, key, place, number of elements): what torch keeps outside of its pickles. */
export function storageId(
  id: PyValue,
  context: ReadContext,
): [type: PyValue, key: string, numel: number, view: PyValue] {
  const items = tupleOf(id);
  const [tag, type, key, , numel, view = null] = items ?? [];
  if (tag !== "storage" || type === undefined || typeof key !== "string")
    context.fail(
      `it keeps a ${typeof tag === "string" ? shownName(tag) : typeName(id)} outside of the pickle, not a storage`,
    );
  if (!Number.isSafeInteger(numel) || (numel as number) < 0)
    context.fail(`the storage ${shownName(key)} has an impossible number of elements`);
  return [type, key, numel as number, view];
}
