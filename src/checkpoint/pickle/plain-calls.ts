// Python's own plain data: dicts with extras, sets, bytes, Namespace. Modules have their Python 2 names below protocol 3.
import type { Call } from "./allow-list.ts";
import { memorySource } from "./byte-source.ts";
import type { ReadContext } from "./context.ts";
import { type Args, dict, isNode, list, nodeOf, type PyList, type PyValue, typeName } from "./values.ts";

const BUILTINS = ["builtins", "__builtin__"];
const builtin = (name: string): string[] => BUILTINS.map((module) => `${module}.${name}`);
const RECONSTRUCTOR = ["copy_reg._reconstructor", "copyreg._reconstructor"];

const itemsOf = (value: PyValue | undefined): readonly PyValue[] | undefined =>
  isNode(value) && "items" in value ? value.items : undefined;

/** dict() of nothing, of a dict, or of a list of pairs, which is how Python 2 wrote its OrderedDict. */
function makeDict(name: string, args: Args, context: ReadContext): PyValue {
  context.spend(256);
  const [content] = args;
  if (args.length > 1) context.fail(`${name} has ${args.length} arguments`);
  if (content === undefined) return dict();
  const given = nodeOf(content, "dict")?.entries;
  const pairs = given ? [...given] : itemsOf(content)?.map(itemsOf);
  if (!pairs) context.fail(`${name} is made of a ${typeName(content)}`);
  context.spend(48 * pairs.length);
  const entries = new Map<PyValue, PyValue>();
  for (const pair of pairs) {
    const [key, value] = pair ?? [];
    if (key === undefined || value === undefined || itemsOf(key) || nodeOf(key, "dict"))
      context.fail(`${name} is made of something else than pairs`);
    entries.set(key, value);
  }
  return dict(entries);
}

const makeSet =
  (kind: PyList["kind"]) =>
  (args: Args, context: ReadContext): PyValue => {
    const items = args.length === 0 ? [] : itemsOf(args[0]);
    if (!items || args.length > 1) context.fail(`a ${kind} is made of ${args.map(typeName).join(", ")}`);
    context.spend(72 + 8 * items.length);
    return list(kind, [...items]);
  };

/** The bytes of a text in Latin-1: how protocols below 3 write bytes. */
function encode([text, encoding]: Args, context: ReadContext): PyValue {
  if (typeof text !== "string" || (encoding !== "latin1" && encoding !== "latin-1"))
    context.fail(`bytes are made of a ${typeName(text)} in ${typeName(encoding)}`);
  context.spend(128 + text.length);
  const bytes = Buffer.from(text, "latin1");
  // A character beyond Latin-1 would silently lose its upper half.
  for (let i = 0; i < text.length; i++)
    if (text.charCodeAt(i) > 0xff) context.fail("bytes are made of a text that is not Latin-1");
  return { kind: "bytes", range: { source: memorySource(bytes), begin: 0, end: bytes.length } };
}

function makeBytes(args: Args, context: ReadContext): PyValue {
  if (args.length === 0) return encode(["", "latin1"], context);
  if (typeof args[0] === "string") return encode(args, context);
  const bytes = nodeOf(args[0], "bytes");
  if (!bytes || args.length > 1) context.fail(`bytes are made of ${args.map(typeName).join(", ")}`);
  return { kind: "bytes", range: bytes.range };
}

export function makeNamespace(context: ReadContext): PyValue {
  context.spend(256);
  return { kind: "object", entries: new Map<PyValue, PyValue>() };
}

/** Protocols 0 and 1 make plain objects by copyreg._reconstructor(cls, object, None). */
function reconstruct([cls, base, state]: Args, context: ReadContext): PyValue {
  const global = nodeOf(cls, "global");
  const isPlain = builtin("object").includes(nodeOf(base, "global")?.name ?? "") && state === null;
  if (global && !global.allowed) return { kind: "opaque", what: global.name };
  if (!isPlain || global?.name !== "argparse.Namespace")
    context.fail(`its pickle makes an object of ${global?.name ?? typeName(cls)}`);
  return makeNamespace(context);
}

/** A default dict's factory is only for missing keys, which data does not have. */
function defaultDict([factory, ...rest]: Args, context: ReadContext): PyValue {
  if (factory !== undefined && factory !== null && !nodeOf(factory, "global"))
    context.fail(`a defaultdict's factory is a ${typeName(factory)}`);
  return makeDict("defaultdict", rest, context);
}

const named = (names: readonly string[], call: Call) => names.map((name) => [name, call] as const);

export const PLAIN_CALLS: readonly (readonly [string, Call])[] = [
  ["collections.OrderedDict", (args, context) => makeDict("OrderedDict", args, context)],
  ["collections.Counter", (args, context) => makeDict("Counter", args, context)],
  ["collections.defaultdict", defaultDict],
  ...named(builtin("set"), makeSet("set")),
  ...named(builtin("frozenset"), makeSet("frozenset")),
  ...named(builtin("bytes"), makeBytes),
  ...named(builtin("bytearray"), makeBytes),
  ...named(RECONSTRUCTOR, reconstruct),
  ["_codecs.encode", encode],
];

/** Harmless as names (a defaultdict's factory, a class kept in a configuration); never called. */
export const PLAIN_NAMES: readonly string[] = [
  "argparse.Namespace",
  ...["list", "dict", "tuple", "int", "float", "str", "bool", "object"].flatMap(builtin),
];
