// Groups on disk: NAME.safetensors with the weights [N, groups] and perhaps scores [N], and NAME.json beside it with the
// item ids of the rows and what is known of how they were found. Rows are looked up by id, never by position.
import { join } from "node:path";
import { z } from "zod";

import { readJson, readSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import type { SignalColumn } from "../../method/index.ts";
import {
  CheckpointError,
  DataError,
  scope,
  type Tensor,
  tensor,
  writeFileAtomic,
} from "../../torch/index.ts";
import { listed } from "./listed.ts";
import { groupSizes, selectRows, toShares } from "./soft-weights.ts";

/** What groups.json says besides the ids, whichever way the groups were found. */
export interface GroupsSummary {
  readonly method: string;
  readonly count: number;
  /** False: no under-represented second population. */
  readonly found: boolean;
  /** Sum of the weights of each group, in images. */
  readonly sizes: readonly number[];
  /** Value of a metadata column that each group stands for. */
  readonly labels?: readonly string[] | undefined;
  readonly columns?: readonly SignalColumn[];
  readonly bimodality?: readonly number[];
  readonly columnWeights?: readonly number[];
  readonly mixtures?: readonly object[];
  /** The hidden attributes that the groups are the combinations of: share of the rare value. */
  readonly attributes?: readonly { readonly share: number }[];
}

export interface StoredGroups extends GroupsSummary {
  /** Item id of each row. */
  readonly ids: readonly string[];
  /** [N][count] row-major; rows sum to 1. */
  readonly weights: Float32Array;
  /** Score of each image (high: under-represented); absent for groups that were given. */
  readonly scores?: Float32Array | undefined;
}

const GROUPS = "groups.safetensors";

const jsonPath = (path: string): string => path.replace(/\.safetensors$/, ".json");

/** The files that make up groups at `path`. */
export const groupFiles = (path: string): readonly string[] => [path, jsonPath(path)];

const jsonSchema = z.looseObject({
  ids: z.array(z.string(), "a list of item ids").min(1, "at least one item id"),
  method: z.string().optional(),
  found: z.boolean().optional(),
});

/** Writes groups.safetensors and groups.json into a folder; gives the sizes of the groups. */
export function saveGroups(dir: string, groups: Omit<StoredGroups, "sizes">): number[] {
  const sizes = groupSizes(groups.weights, groups.count);
  writeGroupFile(join(dir, GROUPS), { ...groups, sizes });
  return sizes;
}

/** Writes NAME.safetensors, which `path` names, and NAME.json. */
export function writeGroupFile(path: string, { weights, scores, ids, ...summary }: StoredGroups): void {
  using weightTensor = tensor(weights, { shape: [ids.length, summary.count] });
  using scoreTensor = scores && tensor(scores);
  writeSafetensors(path, { weights: weightTensor, ...(scoreTensor && { scores: scoreTensor }) });
  writeFileAtomic(jsonPath(path), `${JSON.stringify({ ...summary, ids }, null, 2)}\n`);
}

/**
 * The groups of a stage's folder; with `ids` in their order.
 * Errors: those of `readGroupFile` and `alignGroups`.
 */
export function loadGroups(dir: string, ids?: readonly string[]): StoredGroups {
  const path = join(dir, GROUPS);
  const groups = readGroupFile(path);
  return ids ? alignGroups(groups, ids, path) : groups;
}

/**
 * Groups that `writeGroupFile` wrote, or others did: the JSON needs nothing but `ids`. Rows are brought to a sum of 1.
 * Errors: CheckpointError for files that are missing, damaged or of another form; DataError for weights that are none.
 */
export function readGroupFile(path: string): StoredGroups {
  if (!path.endsWith(".safetensors"))
    throw new CheckpointError(
      `${path} is no file of groups; expected NAME.safetensors with NAME.json beside it.`,
    );
  const json = jsonPath(path);
  const parsed = jsonSchema.safeParse(readJson(json));
  if (!parsed.success)
    throw new CheckpointError(
      `${json}: ${parsed.error.issues[0]!.message}; expected {"ids": [...]} with the item id of each row of the weights in ${path}.`,
    );
  const { ids, method = `weights of ${path}`, ...rest } = parsed.data;
  const seen = new Set<string>();
  const twice = ids.filter((id) => seen.size === seen.add(id).size);
  if (twice.length > 0)
    throw new CheckpointError(
      `${json} has ids twice: ${listed(twice)}. Each image has one row; remove the others.`,
    );
  const { weights: given, count, scores } = readTensors(path, ids.length);
  const weights = toShares(given, { count, names: ids, where: path });
  const { found = count > 1, ...known } = rest;
  return { ...known, method, count, found, sizes: groupSizes(weights, count), ids, weights, scores };
}

function readTensors(
  path: string,
  rows: number,
): { weights: Float32Array; count: number; scores: Float32Array | undefined } {
  const tensors = readSafetensors(path);
  const numbers = (values: Tensor): Float32Array =>
    scope(() => values.to("float32").toArray() as Float32Array);
  try {
    const [weights, scores] = [tensors.get("weights"), tensors.get("scores")];
    const [length, count = 0] = weights?.shape ?? [];
    if (!weights || weights.ndim !== 2 || count === 0 || length !== rows)
      throw new CheckpointError(
        `${path} has ${weights ? `weights of shape [${weights.shape.join(", ")}]` : `no weights, but ${listed([...tensors.keys()])}`}; expected weights [${rows}, groups], one row for each id in ${jsonPath(path)}.`,
      );
    if (scores && (scores.ndim !== 1 || scores.shape[0] !== rows))
      throw new CheckpointError(
        `${path} has scores of shape [${scores.shape.join(", ")}]; expected [${rows}], or none.`,
      );
    return { weights: numbers(weights), count, scores: scores && numbers(scores) };
  } finally {
    for (const value of tensors.values()) value.dispose();
  }
}

/**
 * The rows of these ids, in their order; rows of other ids are left out. `where` names the groups in messages.
 * Errors: DataError that lists the ids without a row, and the rows that no id asks for.
 */
export function alignGroups(groups: StoredGroups, ids: readonly string[], where: string): StoredGroups {
  const { count } = groups;
  const rowOf = new Map(groups.ids.map((id, row) => [id, row]));
  const missing = ids.filter((id) => !rowOf.has(id));
  if (missing.length > 0) {
    const asked = new Set(ids);
    const unknown = groups.ids.filter((id) => !asked.has(id));
    const others =
      unknown.length > 0 ? ` It has rows for ids that are no images here: ${listed(unknown)}.` : "";
    throw new DataError(
      `${where} has no row for ${missing.length} of ${ids.length} images: ${listed(missing)}.${others} Expected a row for every image, by its file name in the image folder. Make groups for these images.`,
    );
  }
  const rows = ids.map((id) => rowOf.get(id)!);
  const weights = selectRows(groups.weights, count, rows);
  const scores = groups.scores && Float32Array.from(rows, (row) => groups.scores![row]!);
  return { ...groups, ids, weights, scores, sizes: groupSizes(weights, count) };
}
