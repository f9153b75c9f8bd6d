// The groupers that the reference publishes (train_group.py writes, train_text_to_image.py reads them): a pickled tensor of
// weights [rows, groups], such as weights_t_g8_w0.pkl, and beside it index2index.pkl, a dict from an image's index in the
// data set to its row. Without that file the index is the row (the reference's Waterbirds).
//
// An image's index is the number that its file is called by (the reference's FairFace: 1042 of train/1042.jpg) if that holds
// for all images and index2index.pkl has all of these numbers; otherwise it is the image's place in the data set, from 0.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { readTorchFile, type TorchValue } from "../../checkpoint/index.ts";
import { CheckpointError, DataError, scope, Tensor } from "../../torch/index.ts";
import { listed } from "./listed.ts";
import { selectRows, toShares } from "./soft-weights.ts";

const INDEX = "index2index.pkl";

export interface GrouperOptions {
  /** Ids of the whole data set, in its order. */
  readonly dataset: readonly string[];
  /** Ids of the images whose rows are wanted; default: all of the data set. */
  readonly ids?: readonly string[];
  /** Path of index2index.pkl; default: the one beside the file, if there is one. */
  readonly index?: string | undefined;
}

export interface GivenGroups {
  readonly ids: readonly string[];
  /** [N][count] row-major; rows sum to 1. */
  readonly weights: Float32Array;
  readonly count: number;
}

/** The files that a grouper is read from. */
export function grouperFiles(path: string, index?: string): readonly string[] {
  const beside = join(dirname(path), INDEX);
  return [path, ...(index !== undefined ? [index] : existsSync(beside) ? [beside] : [])];
}

/**
 * The rows of the wanted images. No code of a pickle is run. `rowsBy` says how images were matched with rows.
 * Errors: CheckpointError for a file that is not such a tensor or dict; DataError naming images without a row.
 */
export function readReferenceGrouper(
  path: string,
  { dataset, ids = dataset, index }: GrouperOptions,
): GivenGroups & { readonly rowsBy: "place" | "place in index2index" | "file number in index2index" } {
  const { weights, rows: given, count } = readWeights(path);
  const [, indexPath] = grouperFiles(path, index);
  const found =
    indexPath === undefined
      ? { rows: rowsByPlace(path, { dataset, ids, given }), rowsBy: "place" as const }
      : rowsByIndex(indexPath, { dataset, ids });
  const outside = ids.filter((_, i) => !(found.rows[i]! < given));
  if (outside.length > 0)
    throw new DataError(
      `${path} has ${given} rows, but ${indexPath ?? "the data set"} asks for others, for ${listed(outside)}. Give the two files that belong together.`,
    );
  const chosen = selectRows(weights, count, found.rows);
  return { ids, weights: toShares(chosen, { count, names: ids, where: path }), count, rowsBy: found.rowsBy };
}

/** Reads a pickle and releases its tensors. */
function withValue<T>(path: string, use: (value: TorchValue) => T): T {
  const value = readTorchFile(path);
  try {
    return use(value);
  } finally {
    release(value);
  }
}

function release(value: TorchValue): void {
  if (value instanceof Tensor) value.dispose();
  else if (value instanceof Map) for (const item of [...value.keys(), ...value.values()]) release(item);
  else if (Array.isArray(value) || value instanceof Set)
    for (const item of value) release(item as TorchValue);
}

function readWeights(path: string): { weights: Float32Array; rows: number; count: number } {
  return withValue(path, (value) => {
    const [rows = 0, count = 0] = value instanceof Tensor ? value.shape : [];
    if (!(value instanceof Tensor) || value.ndim !== 2 || rows === 0 || count === 0)
      throw new CheckpointError(
        `${path} holds ${describe(value)}; expected one tensor [images, groups] of weights, as the reference's train_group.py writes it.`,
      );
    const weights = scope(() => value.to("float32").toArray() as Float32Array);
    return { weights, rows, count };
  });
}

function describe(value: TorchValue): string {
  if (value instanceof Tensor) return `a tensor [${value.shape.join(", ")}]`;
  if (value instanceof Map) return `a dict of ${value.size} entries`;
  return Array.isArray(value) ? `a list of ${value.length}` : `a ${typeof value}`;
}

interface Wanted {
  readonly dataset: readonly string[];
  readonly ids: readonly string[];
}

function placesOf({ dataset, ids }: Wanted): number[] {
  const places = new Map(dataset.map((id, place) => [id, place]));
  const unknown = ids.filter((id) => !places.has(id));
  if (unknown.length > 0)
    throw new DataError(
      `The data set of ${dataset.length} images has no ${listed(unknown)}; expected ids out of it.`,
    );
  return ids.map((id) => places.get(id)!);
}

function rowsByPlace(path: string, { given, ...wanted }: Wanted & { given: number }): number[] {
  if (given !== wanted.dataset.length)
    throw new DataError(
      `${path} has ${given} rows, and the data set ${wanted.dataset.length} images; expected a row for each. Give the data set that it was made for, or its ${INDEX} (groups.index).`,
    );
  return placesOf(wanted);
}

function rowsByIndex(path: string, wanted: Wanted) {
  const table = readIndex(path);
  const numbers = wanted.ids.map(fileNumber);
  const places = placesOf(wanted);
  const rowsAt = (indices: readonly number[]) => indices.map((index) => table.get(index));
  const [byNumber, byPlace] = [rowsAt(numbers), rowsAt(places)];
  const isComplete = (rows: readonly (number | undefined)[]): rows is number[] => !rows.includes(undefined);
  if (isComplete(byNumber)) return { rows: byNumber, rowsBy: "file number in index2index" as const };
  if (isComplete(byPlace)) return { rows: byPlace, rowsBy: "place in index2index" as const };
  const missing = (rows: readonly (number | undefined)[]) =>
    listed(wanted.ids.filter((_, i) => rows[i] === undefined));
  throw new DataError(
    `${path} lacks images of this data set: by the numbers of their files ${missing(byNumber)}; by their places ${missing(byPlace)}. It has ${table.size} indices: ${listed([...table.keys()].map(String))}. Expected one for every image; give the file that belongs to this data set.`,
  );
}

/** As the reference does: the file's name up to its first point; NaN unless that is a number. */
function fileNumber(id: string): number {
  const name = id.split("/").at(-1)!.split(".")[0]!;
  return /^\d{1,15}$/.test(name) ? Number(name) : NaN;
}

function readIndex(path: string): Map<number, number> {
  return withValue(path, (value) => {
    const isIndex = (item: TorchValue) =>
      (typeof item === "number" || typeof item === "bigint") &&
      Number.isSafeInteger(Number(item)) &&
      item >= 0;
    if (!(value instanceof Map) || ![...value].every((entry) => entry.every(isIndex)))
      throw new CheckpointError(
        `${path} holds ${describe(value)}; expected a dict from an image's index to its row, whole numbers from 0.`,
      );
    return new Map(Array.from(value, ([index, row]) => [Number(index), Number(row)]));
  });
}
