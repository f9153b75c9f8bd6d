// Reads what torch.save and pickle.dump wrote.
import type { Tensor } from "../../torch/index.ts";
import { CheckpointError } from "../../torch/index.ts";
import { shownName, type ReadContext } from "./context.ts";
import { withTorchFile } from "./open-file.ts";
import { keyText, makeTensors, toValue, type TorchValue } from "./to-value.ts";
import { nodeOf, type PyDict, type PyTensor, type PyValue, typeName } from "./values.ts";

/** Where training programs put a model's weights inside of a larger checkpoint. */
const USUAL_KEYS = ["state_dict", "model", "module"];

/**
 * The whole object tree of a file. Tensors are mapped from the file (nothing is read until they are used, writing into them
 * never changes the file), on the CPU, without gradients; the caller owns and disposes of them.
 * Throws CheckpointError naming the file for damage, for anything but tensors and plain data, and for trees made to do harm.
 */
export const readTorchFile = (path: string): TorchValue =>
  withTorchFile(path, { tolerant: false }, ({ root, context }) => toValue(root, context));

/**
 * The tensors of a state dict by name, in the file's order: the dict under `key`, or else under "state_dict", "model" or "module",
 * or else the file's own. Values that are no tensors are left out. The caller owns the tensors; each has its own handle, tied
 * weights share their memory. Throws CheckpointError that lists what there is when there are no tensors.
 */
export function readTorchStateDict(path: string, { key }: { key?: string } = {}): Map<string, Tensor> {
  return withTorchFile(path, { tolerant: false }, ({ root, context }) => {
    const tensors = tensorsOf(findDict(root, { key, context }), context);
    return makeTensors(
      context,
      (make) =>
        new Map(
          Array.from(tensors, ([name, view]) => [
            name,
            context.within(
              () => shownName(name),
              () => make(view),
            ),
          ]),
        ),
    );
  });
}

function findDict(root: PyValue, { key, context }: { key?: string; context: ReadContext }): PyDict {
  const top = nodeOf(root, "dict");
  const inside = (name: string) => nodeOf(top?.entries.get(name), "dict");
  const found =
    key === undefined
      ? [...USUAL_KEYS.map(inside), top].find((dict) => dict && hasTensors(dict))
      : inside(key);
  if (found && hasTensors(found)) return found;
  const where = key === undefined ? `at the top or under ${USUAL_KEYS.join(", ")}` : `under "${key}"`;
  throw new CheckpointError(
    `${context.path} has no dict of tensors ${where}; it holds ${contentText(root)}. ` +
      (top ? "Name the entry to read by its key." : "Expected a dict of tensors by name."),
  );
}

const hasTensors = ({ entries }: PyDict) => [...entries.values()].some((value) => nodeOf(value, "tensor"));

function tensorsOf({ entries }: PyDict, context: ReadContext): Map<string, PyTensor> {
  const tensors = new Map<string, PyTensor>();
  for (const [key, value] of entries) {
    const tensor = nodeOf(value, "tensor");
    if (!tensor) continue;
    if (typeof key !== "string")
      context.fail(`a tensor's name is a ${typeName(key)} (${keyText(key)}), not a text`);
    tensors.set(key, tensor);
  }
  return tensors;
}

function contentText(root: PyValue): string {
  const dict = nodeOf(root, "dict");
  if (!dict) return `a ${typeName(root)}`;
  const keys = Array.from(dict.entries, ([key, value]) => `${shownName(keyText(key))} (${typeName(value)})`);
  const shown = keys.slice(0, 12).join(", ");
  return keys.length === 0
    ? "an empty dict"
    : shown + (keys.length > 12 ? ` and ${keys.length - 12} more` : "");
}
