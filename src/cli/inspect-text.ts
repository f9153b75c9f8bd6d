// An inspection as text for a terminal.
import { relative } from "node:path";
import {
  type FolderInfo,
  type Inspection,
  scalarsByDtype,
  type TensorFile,
  type TensorInfo,
} from "../checkpoint/inspect/index.ts";
import { bytesText } from "../experiment/disk-full.ts";
import { numberText, printable, table } from "./text.ts";

/** Values of metadata and configurations are cut here. */
const LONGEST = 100;
/** Entries of a pickle besides tensors that are shown. */
const MOST_OTHERS = 40;
/** The same for files below the folder that was asked for. */
const FEW_OTHERS = 6;

export interface InspectionTextOptions {
  /** List the tensors of files below a folder too. */
  readonly keys: boolean;
}

export function inspectionText(found: Inspection, options: InspectionTextOptions): string {
  return linesOf(found, { ...options, root: found.path, isTop: true }).join("\n");
}

interface Where extends InspectionTextOptions {
  readonly root: string;
  readonly isTop: boolean;
}

function linesOf(found: Inspection, where: Where): string[] {
  const name = where.isTop ? found.path : relative(where.root, found.path);
  switch (found.kind) {
    case "broken":
      return [`${name}  BROKEN`, `  ${printable(found.error)}`];
    case "folder":
      return folderLines(found, name, where);
    default:
      return fileLines(found, name, where);
  }
}

function folderLines({ what, config, items }: FolderInfo, name: string, where: Where): string[] {
  const below = { ...where, isTop: false };
  const settings = where.isTop || where.keys ? configLines(config) : [];
  return [
    `${name}${what === undefined ? "" : `  ${printable(what)}`}`,
    ...indented([...settings, ...items.flatMap((item) => linesOf(item, below))]),
  ];
}

const configLines = (config: FolderInfo["config"]): string[] =>
  Object.entries(config ?? {}).map(([key, value]) => `${printable(key)}: ${short(JSON.stringify(value))}`);

function fileLines(file: TensorFile, name: string, where: Where): string[] {
  const { tensors, metadata, files = [], pickle, fileBytes } = file;
  const counts = Array.from(scalarsByDtype(tensors), ([dtype, count]) => `${countText(count)} ${dtype}`);
  const container =
    pickle === undefined ? file.kind : `pickle (${pickle.container}, protocol ${pickle.protocol})`;
  const head = [
    container,
    `${numberText(tensors.length)} ${tensors.length === 1 ? "tensor" : "tensors"}`,
    ...counts,
    bytesText(fileBytes),
  ];
  const notes = [
    ...files.map((shard) => `shard: ${printable(shard)}`),
    ...Object.entries(metadata).map(([key, value]) => `metadata ${printable(key)}: ${short(value)}`),
    ...(pickle === undefined ? [] : pickleLines(pickle, where)),
  ];
  const listed = where.isTop || where.keys ? tensorLines(tensors) : [];
  return [`${name}  ${head.join(", ")}`, ...indented([...notes, ...listed])];
}

function pickleLines({ other, globals }: NonNullable<TensorFile["pickle"]>, where: Where): string[] {
  const shown = other.slice(0, where.isTop || where.keys ? MOST_OTHERS : FEW_OTHERS);
  const rest = other.length - shown.length;
  const refused = globals.filter((name) => name.endsWith("(refused)"));
  return [
    ...(refused.length === 0
      ? []
      : [
          `REFUSED: it would run ${refused.map((name) => printable(name.replace(/ \(refused\)$/, ""))).join(", ")}`,
        ]),
    ...(globals.length === 0 ? [] : [`names: ${globals.map(printable).join(", ")}`]),
    ...shown.map(
      ({ path, type, summary }) => `${printable(path || "(top)")}: ${printable(type)} ${short(summary)}`,
    ),
    ...(rest > 0 ? [`... and ${numberText(rest)} more`] : []),
  ];
}

const tensorLines = (tensors: readonly TensorInfo[]): string[] =>
  tensors.length === 0
    ? []
    : table(
        tensors.map(({ name, dtype, shape, bytes }) => [
          printable(name === "" ? "(the file itself)" : name),
          dtype,
          `[${shape.join(", ")}]`,
          bytesText(bytes),
        ]),
        "",
      ).split("\n");

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** "859.5 M", "24.1 k". */
function countText(count: number): string {
  if (count < 1e4) return numberText(count);
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} k` : `${(count / 1e6).toFixed(1)} M`;
}

function short(text: string): string {
  const line = printable(text);
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 3)}...` : line;
}
