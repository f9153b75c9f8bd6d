/** The published data sets (Waterbirds, CelebA, FairFace): from their official downloads to image folders. */
import { celeba } from "./celeba.ts";
import { fairface } from "./fairface.ts";
import type { PublishedSet } from "./listing.ts";
import { waterbirds } from "./waterbirds.ts";

export { prepareDataset } from "./prepare.ts";
export type { PreparePlan, PrepareOptions, PrepareProgress, SplitMode } from "./prepare.ts";
export type { CaptionStyle, PublishedSet } from "./listing.ts";
export type { ChosenSplit } from "./select-images.ts";

/** By the name that the command takes. */
export const publishedSets = { waterbirds, celeba, fairface } satisfies Record<string, PublishedSet>;
