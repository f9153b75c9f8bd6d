// Which Python objects a file may name, and what naming, calling and filling them means here: always a description, never a call.
import { CheckpointError } from "../../torch/index.ts";
import type { ReadContext } from "./context.ts";
import { refuseGlobal, shownName } from "./context.ts";
import { fillNumpy, NUMPY_CALLS, NUMPY_NAMES } from "./numpy.ts";
import { makeNamespace, PLAIN_CALLS, PLAIN_NAMES } from "./plain-calls.ts";
import { TORCH_CALLS, TORCH_NAMES } from "./torch-calls.ts";
import {
  type Args,
  isNode,
  nodeOf,
  type PyGlobal,
  type PyOpaque,
  type PyValue,
  tupleOf,
  typeName,
} from "./values.ts";

/** Makes the description of what Python's function would return. Throws CheckpointError for arguments that make no sense. */
export type Call = (args: Args, context: ReadContext) => PyValue;

const CALLS: ReadonlyMap<string, Call> = new Map([...TORCH_CALLS, ...NUMPY_CALLS, ...PLAIN_CALLS]);
const NAMES: ReadonlySet<string> = new Set([...CALLS.keys(), ...TORCH_NAMES, ...NUMPY_NAMES, ...PLAIN_NAMES]);

/** The global of that name. Throws CheckpointError when it is not allowed, or notes it when the reading is tolerant. */
export function globalOf(name: string, context: ReadContext): PyGlobal {
  const allowed = NAMES.has(name);
  if (!allowed && !context.tolerant) refuseGlobal(name, context);
  context.spend(96 + name.length);
  context.globals.set(name, allowed);
  return { kind: "global", name, allowed };
}

/** What `callee(*args)` describes. */
export function callGlobal(callee: PyValue, args: PyValue, context: ReadContext): PyValue {
  const opaque = opaqueResult(callee);
  if (opaque) return opaque;
  const name = nodeOf(callee, "global")?.name ?? context.fail(`its pickle calls a ${typeName(callee)}`);
  const call = CALLS.get(name) ?? context.fail(`its pickle calls ${name}, which may only be named`);
  const given = tupleOf(args) ?? context.fail(`its pickle calls ${name} with a ${typeName(args)}`);
  context.spend(128);
  return attempt(name, () => call(given, context), context);
}

/** What `cls.__new__(cls, *args, **keywords)` describes. */
export function newObject(
  cls: PyValue,
  [args, keywords]: [args: PyValue, keywords: PyValue],
  context: ReadContext,
): PyValue {
  const opaque = opaqueResult(cls);
  if (opaque) return opaque;
  const name = nodeOf(cls, "global")?.name;
  const plain = tupleOf(args)?.length === 0 && nodeOf(keywords, "dict")?.entries.size === 0;
  if (name === "argparse.Namespace" && plain) return makeNamespace(context);
  context.fail(
    `its pickle makes an object of ${name ?? `a ${typeName(cls)}`} in a way that Python does not write`,
  );
}

/** What `object.__setstate__(state)` changes. Attributes of tensors and dicts (such as a state dict's versions) are left aside. */
export function buildState(target: PyValue, state: PyValue, context: ReadContext): void {
  const kind = isNode(target) ? target.kind : undefined;
  if (isNode(target) && target.kind === "opaque") target.state = state;
  else if (isNode(target) && target.kind === "object") {
    const attributes =
      nodeOf(state, "dict")?.entries ?? context.fail("its pickle fills a Namespace with no dict");
    context.spend(48 * attributes.size);
    for (const [key, value] of attributes) target.entries.set(key, value);
  } else if (kind === "array" || kind === "numpy dtype")
    attempt(`numpy's ${kind}`, () => fillNumpy(target, state, context), context);
  else if (kind !== "dict" && kind !== "tensor")
    context.fail(`its pickle gives a state to a ${typeName(target)}`);
}

const opaqueResult = (callee: PyValue): PyOpaque | undefined => {
  const global = nodeOf(callee, "global");
  if (global && !global.allowed) return { kind: "opaque", what: shownName(global.name) };
  return nodeOf(callee, "opaque");
};

/** A tolerant reading lists what cannot be made instead of stopping there. */
function attempt(name: string, make: () => PyValue, context: ReadContext): PyValue {
  try {
    return make();
  } catch (error) {
    if (!context.tolerant || context.isSpent() || !(error instanceof CheckpointError)) throw error;
    return { kind: "opaque", what: `${name} (unusable: ${context.reason(error)})` };
  }
}
