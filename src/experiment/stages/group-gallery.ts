// The groups as people can look at them: per caption, the most typical images of each group and what they share.
import { captionBuckets, largestInRows } from "../../metrics/index.ts";
import type { TrainingLabels } from "./group-labels.ts";
import type { StoredGroups } from "./groups.ts";

export interface GalleryGroup {
  readonly label: string;
  readonly size: number;
  /** Ids of the most typical images, best first. */
  readonly ids: readonly string[];
  /** Share of each hidden value; null without labels. */
  readonly shares: readonly number[] | null;
}

export interface GalleryCaption {
  readonly caption: string;
  readonly groups: readonly GalleryGroup[];
}

const SHOWN = 12;

/** Group names: of inferred groups, group 0 is what the base knows well. */
const labelOf = ({ scores, count }: StoredGroups, g: number): string =>
  !scores || count < 2
    ? `Group ${g + 1}`
    : g === 0
      ? "Usual group"
      : count === 2
        ? "Neglected group"
        : `Neglected group ${g}`;

export function groupGallery(
  set: {
    readonly ids: readonly string[];
    readonly captions: readonly string[];
    readonly captionOf: Int32Array;
  },
  groups: StoredGroups,
  labels: TrainingLabels | undefined,
): GalleryCaption[] {
  const assigned = largestInRows(groups.weights, groups.count);
  return captionBuckets(set.captionOf)
    .slice(0, 4)
    .map((rows) => {
      const several = rows.some((row) => set.captionOf[row] !== set.captionOf[rows[0]!]);
      const caption = several ? "all rarer captions" : set.captions[set.captionOf[rows[0]!]!]!;
      const list = groups.sizes.map((_, g) => {
        const members = rows.filter((row) => assigned[row] === g);
        const typical = (row: number): number => {
          const score = groups.scores?.[row];
          // Most typical: deepest inside the group; of two, on the side of the score where the group lies.
          return score === undefined || groups.count > 2
            ? groups.weights[row * groups.count + g]!
            : g === groups.count - 1
              ? score
              : -score;
        };
        const ids = members
          .sort((a, b) => typical(b) - typical(a))
          .slice(0, SHOWN)
          .map((row) => set.ids[row]!);
        const shares = labels
          ? labels.values.map(
              (_, v) =>
                members.filter((row) => labels.labels[row] === v).length / Math.max(1, members.length),
            )
          : null;
        return { label: labelOf(groups, g), size: members.length, ids, shares };
      });
      return { caption, groups: list };
    });
}
