// What the report shows of the groups: the gallery with pictures, and how the losses lie by noise level.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

import { readImage } from "../data/image-ref.ts";
import { openImageFolder } from "../data/index.ts";
import { largestInRows } from "../metrics/index.ts";
import type { ExperimentConfig } from "./config.ts";
import { LOSSES, loadGroups, readLosses } from "./groups/index.ts";
import type { ReportData, ReportGroup, ReportGroups } from "./report/index.ts";
import type { EvaluationResult } from "./stages/evaluation.ts";
import { trainFolder } from "./stages/folders.ts";
import { type GalleryCaption, groupLabel } from "./stages/group-gallery.ts";
import type { GroupsSummary } from "./stages/groups.ts";
import type { StageContext } from "./stage.ts";

/** Groups by caption with their most typical pictures. Errors: DataError for a picture that is gone. */
export async function reportGallery(
  out: string,
  config: ExperimentConfig,
  { gallery }: Pick<EvaluationResult, "gallery">,
): Promise<Pick<ReportGroups, "overall" | "captions">> {
  const { path, split } = trainFolder({ config, input: (stage) => join(out, stage) } as StageContext);
  const { items } = openImageFolder(path, { captionColumn: config.data.captionColumn, split });
  const files = new Map(items.map(({ id, file }) => [id, file]));
  const groupsOf = ({ caption, groups }: GalleryCaption): Promise<ReportGroup[]> =>
    Promise.all(
      groups.map(async ({ label, size, ids, shares, differences }) => ({
        ...{ label, size, differences },
        images: await Promise.all(
          ids.map(async (id) => ({
            bytes: await readImage(files.get(id) ?? resolve(path, id)),
            alt: `Training image ${id}${caption === null ? "" : `, “${caption}”`}, ${label}`,
          })),
        ),
        ...(shares && { shares }),
      })),
    );
  const [all] = gallery.filter(({ caption }) => caption === null);
  const captions = await Promise.all(
    gallery.flatMap((own) =>
      own.caption === null ? [] : [groupsOf(own).then((groups) => ({ caption: own.caption!, groups }))],
    ),
  );
  return { ...(all && { overall: await groupsOf(all) }), captions };
}

/** Bimodality and mean loss of each group by timestep, averaged over the noises; undefined without fixed timesteps. */
export function reportProfile(
  groupsDir: string,
  { columns = [], bimodality = [] }: GroupsSummary,
): ReportData["profile"] {
  const timesteps = [...new Set(columns.map(({ timestep }) => timestep))].filter(
    (t) => typeof t === "number",
  );
  if (timesteps.length < 2) return undefined;
  timesteps.sort((a, b) => a - b);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const coefficients = timesteps.map((timestep) =>
    mean(bimodality.filter((_, i) => columns[i]!.timestep === timestep)),
  );
  const groups = groupLosses(groupsDir, timesteps);
  return {
    timesteps,
    series: [{ label: "all captions", coefficients }],
    ...(groups && { meanLosses: [groups] }),
  };
}

/** Mean loss of the images of each group, [group][timestep]; undefined where the losses are not kept, or groups are one. */
function groupLosses(dir: string, timesteps: readonly number[]) {
  const path = join(dir, LOSSES);
  const stored = loadGroups(dir);
  const { weights, count, ids } = stored;
  if (!existsSync(path) || count < 2) return undefined;
  const { losses, columns, ids: measured } = readLosses(path);
  if (measured.length !== ids.length) return undefined;
  const assigned = largestInRows(weights, count);
  const sizes = new Array<number>(count).fill(0);
  for (const g of assigned) sizes[g]!++;
  // With and without the contrast are different numbers: the plain losses where there are any.
  const isPlain = columns.some(({ contrast }) => !contrast);
  const groups = Array.from({ length: count }, (_, g) => ({
    label: groupLabel(stored, g),
    losses: timesteps.map((timestep) => {
      const own = columns.flatMap((column, c) =>
        column.timestep === timestep && column.contrast !== isPlain ? [c] : [],
      );
      let sum = 0;
      assigned.forEach((group, row) => {
        if (group === g) for (const c of own) sum += losses[row * columns.length + c]!;
      });
      return sum / Math.max(1, sizes[g]! * own.length);
    }),
  }));
  return { groups, ...(isPlain ? {} : { what: "loss less that under the empty caption" }) };
}
