// The groups as people can look at them: per caption, the most typical images of each group, what they share, and what
// sets them apart in captions and metadata. Evaluation only.
import { openDataset } from "../../data/dataset.ts";
import { captionBuckets, largestInRows } from "../../metrics/index.ts";
import { type DifferenceColumns, type GroupDifference, groupDifferences } from "../report/index.ts";
import type { StageContext } from "../stage.ts";
import { trainFolder } from "./folders.ts";
import type { TrainingLabels } from "./group-labels.ts";
import type { StoredGroups } from "./groups.ts";

export interface GalleryGroup {
  readonly label: string;
  readonly size: number;
  /** Ids of the most typical images, best first. */
  readonly ids: readonly string[];
  /** Share of each hidden value; null without labels. */
  readonly shares: readonly number[] | null;
  /** Captions, words and metadata that are more frequent here than in the caption's other groups. */
  readonly differences: readonly GroupDifference[];
}

export interface GalleryCaption {
  /** null: all captions together. */
  readonly caption: string | null;
  readonly groups: readonly GalleryGroup[];
}

const SHOWN = 12;
const CAPTIONS = 4;

/** Group names: of inferred groups, group 0 is what the base knows well. */
export const groupLabel = ({ scores, count }: StoredGroups, g: number): string =>
  !scores || count < 2
    ? `Group ${g + 1}`
    : g === 0
      ? "Usual group"
      : count === 2
        ? "Neglected group"
        : `Neglected group ${g}`;

interface GallerySet {
  readonly ids: readonly string[];
  readonly captions: readonly string[];
  readonly captionOf: Int32Array;
}

/** All captions together if there are several, then the commonest ones. Errors: those of reading the training folder. */
export async function groupGallery(
  context: StageContext,
  set: GallerySet,
  groups: StoredGroups,
  labels: TrainingLabels | undefined,
): Promise<GalleryCaption[]> {
  const known = await knownOf(context, set);
  const assigned = largestInRows(groups.weights, groups.count);
  const buckets = captionBuckets(set.captionOf);
  const captionOf = (rows: readonly number[]): string => {
    const several = rows.some((row) => set.captionOf[row] !== set.captionOf[rows[0]!]);
    return several ? "all rarer captions" : set.captions[set.captionOf[rows[0]!]!]!;
  };
  const gallery = (caption: string | null, rows: readonly number[]): GalleryCaption => {
    const members = groups.sizes.map((_, g) => rows.filter((row) => assigned[row] === g));
    const differences = groupDifferences(members, caption === null ? known : { ...known, captions: [] });
    return {
      caption,
      groups: members.map((own, g) => ({
        ...{ label: groupLabel(groups, g), size: own.length, differences: differences[g]! },
        ids: typicalOf(groups, g, own).map((row) => set.ids[row]!),
        shares: labels
          ? labels.values.map(
              (_, v) => own.filter((row) => labels.labels[row] === v).length / Math.max(1, own.length),
            )
          : null,
      })),
    };
  };
  const all = Array.from(set.ids.keys());
  return [
    ...(buckets.length > 1 ? [gallery(null, all)] : []),
    ...buckets.slice(0, CAPTIONS).map((rows) => gallery(captionOf([...rows]), [...rows])),
  ];
}

/** The members deepest inside the group; of two groups, on the side of the score where the group lies. */
function typicalOf(groups: StoredGroups, g: number, members: readonly number[]): number[] {
  const typical = (row: number): number => {
    const score = groups.scores?.[row];
    return score === undefined || groups.count > 2
      ? groups.weights[row * groups.count + g]!
      : g === groups.count - 1
        ? score
        : -score;
  };
  return members.toSorted((a, b) => typical(b) - typical(a)).slice(0, SHOWN);
}

/** Captions and all metadata of the training images, in the order of the set. */
async function knownOf(
  context: StageContext,
  { ids, captions, captionOf }: GallerySet,
): Promise<DifferenceColumns> {
  const { path, split } = trainFolder(context);
  const { captionColumn } = context.config.data;
  const dataset = await openDataset(path, { split, captionColumn });
  const rows = Array.from({ length: dataset.length }, (_, i) => dataset.item(i));
  const metadata = new Map(rows.map(({ id, metadata }) => [id, metadata]));
  return {
    metadata: ids.map((id) => metadata.get(id)),
    captions: ids.map((_, i) => captions[captionOf[i]!]!),
  };
}
