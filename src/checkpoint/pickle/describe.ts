// What a file holds, without reading any tensor data; for hostile files too, which only name what they would run.
import type { ReadContext } from "./context.ts";
import { rangeLength } from "./byte-source.ts";
import { shownName } from "./context.ts";
import { type TorchFileKind, withTorchFile } from "./open-file.ts";
import { keyText } from "./to-value.ts";
import { globalAsText } from "./torch-calls.ts";
import { isNode, numelOf, type PyNode, type PyTensor, type PyValue, typeName } from "./values.ts";

export interface TorchFileEntry {
  /** Keys and indices from the top, joined by dots; empty when the file is one tensor. */
  readonly name: string;
  /** As in the file: one of this library's dtypes, or an unsigned one of numpy. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Elements times element size; tensors may share them. */
  readonly bytes: number;
}

export interface OtherEntry {
  readonly path: string;
  /** Python's name of the type, or what a refused object would have been. */
  readonly type: string;
  /** The value, cut where it is long; the length of containers. */
  readonly summary: string;
}

export interface TorchFileDescription {
  readonly kind: TorchFileKind;
  /** Of the main pickle; 0 also stands for 1, which files do not tell apart. */
  readonly protocol: number;
  /** The tensors. */
  readonly entries: readonly TorchFileEntry[];
  /** Everything else, up to a limit. */
  readonly other: readonly OtherEntry[];
  /** Every Python object that the file names, sorted; those that are not read end in " (refused)". */
  readonly globals: readonly string[];
  readonly fileBytes: number;
}

const MAX_DEPTH = 200;
const MAX_OTHER = 10_000;
/** Lists of more plain values than this are one entry. */
const MAX_LISTED = 16;

/** Lists a file's tensors and other content. Throws CheckpointError when the file cannot be parsed to its end. */
export function describeTorchFile(path: string): TorchFileDescription {
  return withTorchFile(path, { tolerant: true }, ({ kind, protocol, root, context, fileBytes }) => {
    const { entries, other } = listContent(root, context);
    const globals = [...context.globals]
      .map(([name, allowed]) => shownName(name) + (allowed ? "" : " (refused)"))
      .sort();
    return { kind, protocol, entries, other, globals, fileBytes };
  });
}

function listContent(
  root: PyValue,
  context: ReadContext,
): { entries: TorchFileEntry[]; other: OtherEntry[] } {
  const entries: TorchFileEntry[] = [];
  const other: OtherEntry[] = [];
  const firstPath = new Map<PyNode, string>();

  const note = (path: string, type: string, summary: string) => {
    if (other.length < MAX_OTHER) other.push({ path, type, summary });
    else if (other.length === MAX_OTHER) other.push({ path: "...", type: "", summary: "more is not listed" });
  };
  const tensor = (name: string, { storage, shape }: PyTensor) => {
    context.spend(128 + name.length);
    const { name: dtype, bytes } = storage.element;
    entries.push({ name, dtype, shape, bytes: numelOf(shape) * bytes });
  };
  const visit = (path: string, value: PyValue, depth: number): void => {
    if (!isNode(value)) return note(path, typeName(value), shortText(value));
    if (value.kind === "tensor") return tensor(path, value);
    if (value.kind === "array" && value.content) return tensor(path, value.content);
    const seen = firstPath.get(value);
    if (seen !== undefined) return note(path, typeName(value), `the same as ${seen || "the top"}`);
    if (depth > MAX_DEPTH) return note(path, typeName(value), `nested more than ${MAX_DEPTH} deep`);
    firstPath.set(value, path);
    const below = (key: string) => shortened(path === "" ? key : `${path}.${key}`);
    const each = (children: Iterable<readonly [string, PyValue]>) => {
      for (const [key, child] of children) visit(below(key), child, depth + 1);
    };
    switch (value.kind) {
      case "dict":
      case "object":
        if (value.entries.size === 0) note(path, typeName(value), "empty");
        each(Array.from(value.entries, ([key, child]) => [keyText(key), child] as const));
        break;
      case "list":
      case "tuple":
      case "set":
      case "frozenset":
        if (value.items.length > MAX_LISTED && !value.items.some(isNode)) {
          note(path, value.kind, `${value.items.length} values`);
        } else if (value.items.length === 0) note(path, value.kind, "empty");
        else each(value.items.map((child, index) => [String(index), child] as const));
        break;
      case "opaque":
        note(path, value.what, "not read");
        if (value.state !== undefined) visit(path, value.state, depth + 1);
        break;
      default:
        note(path, value.kind, leafText(value));
    }
  };
  visit("", root, 0);
  return { entries, other };
}

const shortened = (text: string) => (text.length > 200 ? `...${text.slice(-197)}` : text);

function shortText(value: null | boolean | number | bigint | string): string {
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : String(value).slice(0, 64);
  return typeof value === "string" && value.length > 64 ? `${text} (${value.length} characters)` : text;
}

function leafText(value: PyNode): string {
  switch (value.kind) {
    case "bytes":
      return `${rangeLength(value.range)} bytes`;
    case "storage":
      return `${value.numel} ${value.element.name}`;
    case "global":
      return shownName(globalAsText(value.name));
    case "numpy dtype":
      return shownName(value.code);
    default:
      return "";
  }
}
