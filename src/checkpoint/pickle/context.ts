// What all parts of one reading share: the file's name for messages, the memory budget, the globals seen so far.
import { basename } from "node:path";
import { CheckpointError } from "../../torch/index.ts";
import type { ByteRange } from "./byte-source.ts";
import type { PyValue } from "./values.ts";

/** Objects of a pickle may take this much memory, whatever the size of the file ... */
const BASE_BUDGET = 64 * 2 ** 20;
/** ... and this many times its size: a Python int of 2 bytes becomes a number of 8 in a list. */
const BUDGET_PER_BYTE = 16;

export interface ReadContext {
  readonly path: string;
  /** True: a refused global becomes an opaque object, to be listed; false: an error. */
  readonly tolerant: boolean;
  /** Every global that the file names; false: refused. */
  readonly globals: Map<string, boolean>;
  /** Says that this many bytes will be allocated. Throws CheckpointError when the file asks for too much. */
  readonly spend: (bytes: number) => void;
  /** True once `spend` has thrown. */
  readonly isSpent: () => boolean;
  /** Throws CheckpointError naming the file, and the place in its object tree where there is one. */
  readonly fail: (what: string, cause?: unknown) => never;
  /** What an error of `fail` says, without the file's name. */
  readonly reason: (error: Error) => string;
  /** Runs `fn`; what fails meanwhile is at the place that `path` tells. */
  readonly within: <T>(path: () => string, fn: () => T) => T;
  /** Where in the object tree the reading is, such as " (at state_dict.conv.weight)", or nothing. */
  readonly place: () => string;
  /** The object in bytes that `torch.save` wrote into a pickle. */
  readonly loadBytes: (range: ByteRange) => PyValue;
}

/** A name from a file, safe to print: control characters are escaped, what is long is cut. */
export const shownName = (name: string): string => {
  const cut = name.length > 120 ? `${name.slice(0, 117)}...` : name;
  return /^[\w.<>[\] -]*$/.test(cut) ? cut : JSON.stringify(cut);
};

interface ContextOptions {
  readonly fileBytes: number;
  readonly tolerant: boolean;
  readonly loadBytes: (range: ByteRange, context: ReadContext) => PyValue;
}

export function makeContext(path: string, { fileBytes, tolerant, loadBytes }: ContextOptions): ReadContext {
  const budget = BASE_BUDGET + BUDGET_PER_BYTE * fileBytes;
  const prefix = `${path} is not a usable PyTorch file: `;
  const places: (() => string)[] = [];
  let spent = 0;
  const place = () => {
    const parts = places.map((where) => where()).filter((part) => part !== "");
    return parts.length === 0 ? "" : ` (at ${parts.join(".")})`;
  };
  const fail = (what: string, cause?: unknown): never => {
    throw new CheckpointError(`${prefix}${what}${place()}.`, { cause });
  };
  const context: ReadContext = {
    path,
    tolerant,
    globals: new Map(),
    spend(bytes) {
      spent += bytes;
      if (!(spent <= budget))
        fail(`its objects would take more than ${budget} bytes of memory, the file has ${fileBytes}`);
    },
    isSpent: () => !(spent <= budget),
    fail,
    reason: ({ message }) => message.slice(message.startsWith(prefix) ? prefix.length : 0).replace(/\.$/, ""),
    within(where, fn) {
      places.push(where);
      try {
        return fn();
      } finally {
        places.pop();
      }
    },
    place,
    loadBytes: (range) => loadBytes(range, context),
  };
  return context;
}

/** The error for what a file may not do; the recipe is for a file that its user has reason to trust. */
export function refuseGlobal(name: string, { path, place }: ReadContext): never {
  const file = basename(path);
  throw new CheckpointError(
    `${path} names the Python object ${shownName(name)}${place()}, which is not among those that are read (tensors and plain data); ` +
      `nothing was run. Only if you trust the file, convert it in Python: python -c "import torch; from safetensors.torch import save_file; ` +
      `d = torch.load('${file}', map_location='cpu', weights_only=False); d = d.get('state_dict', d); ` +
      `save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, '${file}.safetensors')"`,
  );
}
