// The published feature networks on this machine: where their files lie, and what to do about those that are missing.
import { statSync } from "node:fs";

import { networkPath, networksFolder } from "../../hub/index.ts";
import { downloadCommand, findNetworkFile, NETWORK_FILES, type NetworkKind } from "../../models/index.ts";
import { hashFolder, type KnownHashes, knownHash } from "../hash.ts";
import type { SkippedMetric } from "../report/index.ts";

const USED = ["inception", "vgg16", "lpips", "clip"] as const satisfies readonly NetworkKind[];

export interface NetworkFile {
  /** A file; of CLIP its folder. */
  readonly path: string;
  /** SHA-256 of its content. */
  readonly hash: string;
}

export type FoundNetworks = Readonly<Record<(typeof USED)[number], NetworkFile | SkippedMetric>>;

export const isFound = (found: NetworkFile | SkippedMetric): found is NetworkFile => "hash" in found;

export interface NetworkPlaces {
  /** Folder of the networks' files; default: where `invdiff download network` puts them. */
  readonly networks?: string | undefined;
  /** Folder of the CLIP model; default: in the same folder, or in the hub's cache. */
  readonly clip?: string | undefined;
}

/** Half a gigabyte is not read again for every stage and every planning. */
const known: KnownHashes = new Map();

/** Looks for every network; nothing is loaded. Errors: UserError for a file that cannot be read. */
export async function findNetworks({ networks, clip }: NetworkPlaces): Promise<FoundNetworks> {
  const folder = networks ?? networksFolder();
  const entries = await Promise.all(
    USED.map(async (kind) => {
      const path = kind === "clip" ? (clip ?? clipFolder(folder)) : findNetworkFile(folder, kind);
      return [kind, path === undefined ? missing(kind, networks) : await fileOf(path)] as const;
    }),
  );
  return Object.fromEntries(entries) as unknown as FoundNetworks;
}

const clipFolder = (folder: string): string | undefined =>
  findNetworkFile(folder, "clip") ?? networkPath("clip");

/** `folder`: the one to look in and to download into; undefined: the usual one. */
const missing = (kind: NetworkKind, folder: string | undefined): SkippedMetric => ({
  reason: `${NETWORK_FILES[kind].title} is not on this machine (looked for ${NETWORK_FILES[kind].names[0]} in ${folder ?? networksFolder()}).`,
  command: `${downloadCommand(kind)}${folder === undefined ? "" : ` --to ${quoted(folder)}`}`,
});

/** A word of a shell. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const fileOf = async (path: string): Promise<NetworkFile> => ({ path, hash: await hashOfPlace(path) });

/** SHA-256 of a file, or of a folder's content. Errors: UserError when it cannot be read. */
export const hashOfPlace = (path: string): Promise<string> =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ? hashFolder(path) : knownHash(path, known);
