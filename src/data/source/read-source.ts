/**
 * The one way to the rows of a data set, however it is stored. Internal to this folder: stages read pictures and captions
 * through image-folder.ts, evaluation reads columns through evaluation-columns.ts and dataset.ts.
 */
import { basename, dirname, join, resolve, sep } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { entryKind, fileFinder, type Listing, listFolder } from "./listing.ts";
import { readCsv } from "./metadata-csv.ts";
import { readJsonl } from "./metadata-jsonl.ts";
import { readMetadataParquet, readShards, shardsBySplit } from "./parquet-rows.ts";
import { findPictures, readPictures } from "./picture-rows.ts";
import { expectedSource, type Source, type SourceOptions } from "./source-row.ts";
import { spellings, splitName } from "./splits.ts";

/** A part of a data set, not read yet. */
export interface SourceSplit {
  /** Undefined for a data set, or what lies outside its parts. */
  readonly name: string | undefined;
  /** Errors: DataError that names file and line of whatever is wrong. */
  readonly read: () => Source;
}

const readers = {
  "metadata.jsonl": readJsonl,
  "metadata.csv": readCsv,
  "metadata.parquet": readMetadataParquet,
} as const;

/**
 * The rows of a data set or of one of its splits. Without a split: everything where there are no splits, or else the train
 * split, or else the only one. Errors: DataError that says what is wrong where.
 */
export function readSource(path: string, { split }: SourceOptions = {}): Source {
  const splits = findSplits(path);
  const named = (name: string | undefined): SourceSplit | undefined =>
    splits.find((found) => found.name === name);
  const chosen =
    split === undefined
      ? (named(undefined) ?? named("train") ?? (splits.length === 1 ? splits[0] : undefined))
      : (named(split) ?? named(splitName(split) ?? ""));
  if (chosen) return chosen.read();
  const names = splits.flatMap(({ name }) => (name === undefined ? [] : [name]));
  if (split === undefined)
    throw new DataError(`${path} has the splits ${names.join(", ")}, but no train. Say which one to read.`);
  // Any sub-folder may be asked for by its name: with metadata of its own, or listed in that of the whole.
  const folder = join(resolve(path), split);
  if (entryKind(folder) === "folder") {
    const whole = named(undefined)?.read();
    const rows = whole?.rows.filter(({ file }) => file.startsWith(folder + sep)) ?? [];
    return whole && rows.length > 0 ? { ...whole, rows } : readSource(folder);
  }
  throw new DataError(
    `${path} has no split "${split}". ${names.length > 0 ? `It has: ${names.join(", ")}.` : `Expected a folder ${folder}, with ${expectedSource}.`}`,
  );
}

/**
 * The parts of a data set, found by the names of its folders or parquet files, train first where there is one.
 * Errors: DataError when there is nothing at `path`, or no data set in it.
 */
export function findSplits(path: string): SourceSplit[] {
  const root = resolve(path);
  const found = entryKind(root);
  if (!found) throw new DataError(`There is no folder ${path}. Expected ${expectedSource}.`);
  if (found === "file" && root.endsWith(".parquet")) return [shardSplit(undefined, [root], dirname(root))];
  if (found === "file") throw new DataError(`${path} is not a folder. Expected ${expectedSource}.`);
  const splits = splitsOf(root);
  if (splits) return splits.sort((a, b) => rank(a) - rank(b));
  throw new DataError(`There are no pictures in ${path}. Expected ${expectedSource}.`);
}

const rank = ({ name }: SourceSplit): number => (name === undefined ? 0 : name === "train" ? 1 : 2);

function splitsOf(root: string, isTop = true): SourceSplit[] | undefined {
  const metadata = metadataSplits(root);
  if (metadata) return metadata;
  const listing = listFolder(root);
  const data = listing.folders.includes("data") ? join(root, "data") : undefined;
  const inData = data === undefined ? undefined : listFolder(data);
  const own = parquetIn(root, listing);
  const shards = data !== undefined && inData && own.length === 0 ? parquetIn(data, inData) : own;
  if (shards.length > 0)
    return Array.from(shardsBySplit(shards), ([name, files]) => shardSplit(name, files, root));
  const folders = splitFolders(root, listing) ?? (data !== undefined && inData && splitFolders(data, inData));
  if (folders) return folders;
  const pictures = findPictures(root, listing);
  if (pictures) return [{ name: undefined, read: () => readPictures(root, pictures) }];
  return isTop ? configuration(root, listing) : undefined;
}

/** A metadata file for the whole folder, and those of its parts. */
function metadataSplits(root: string): SourceSplit[] | undefined {
  const names = (Object.keys(readers) as (keyof typeof readers)[]).filter(
    (name) => entryKind(join(root, name)) !== undefined,
  );
  const [kind] = names;
  if (kind === undefined) return undefined;
  if (names.length > 1)
    throw new DataError(`${root} has ${names.join(" and ")}. Keep the one that is right.`);
  // The folder itself is not listed: it may hold a hundred thousand pictures.
  const parts = spellings().flatMap(([name, spelling]): SourceSplit[] => {
    const folder = join(root, spelling);
    const [own] = (entryKind(folder) === "folder" && metadataSplits(folder)) || [];
    return own ? [{ name, read: own.read }] : [];
  });
  const read = (): Source => {
    const finds = fileFinder();
    const rows = readers[kind](join(root, kind), root);
    return { kind, folder: root, rows, exists: ({ file }) => finds(file) };
  };
  return [{ name: undefined, read }, ...parts];
}

const shardSplit = (name: string | undefined, shards: readonly string[], folder: string): SourceSplit => ({
  name,
  read: () => ({ kind: "parquet", folder, rows: readShards(shards, folder), exists: () => true }),
});

const parquetIn = (folder: string, { files, broken }: Listing): string[] =>
  [...files, ...broken]
    .filter((name) => name.endsWith(".parquet"))
    .sort()
    .map((name) => join(folder, name));

/** Sub-folders that are parts: when one is train, or all of them are parts; otherwise they may be classes. */
function splitFolders(root: string, { folders }: Listing): SourceSplit[] | undefined {
  const parts = folders.flatMap((folder): [name: string, folder: string][] => {
    const name = splitName(folder);
    return name === undefined ? [] : [[name, join(root, folder)]];
  });
  if (parts.length === 0 || (parts.length < folders.length && !parts.some(([name]) => name === "train")))
    return undefined;
  const doubled = parts.find(([name], i) => parts.findIndex(([other]) => other === name) !== i);
  if (doubled)
    throw new DataError(
      `${root} has two folders for ${doubled[0]}: ${parts.flatMap(([name, folder]) => (name === doubled[0] ? [basename(folder)] : [])).join(", ")}. Keep one.`,
    );
  return parts.map(([name, folder]) => ({ name, read: () => readSource(folder) }));
}

/** Repositories keep several versions of a data set in folders; a single one needs no name. */
function configuration(root: string, { folders }: Listing): SourceSplit[] | undefined {
  const found = folders.flatMap((name) => {
    const splits = splitsOf(join(root, name), false);
    return splits ? [{ name, splits }] : [];
  });
  if (found.length > 1)
    throw new DataError(
      `${root} holds several data sets: ${found.map(({ name }) => name).join(", ")}. Give the folder of one of them.`,
    );
  return found[0]?.splits;
}
