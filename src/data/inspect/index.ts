/** A look at a data set, for people. */
export { inspectDataset, openSplits } from "./inspect-dataset.ts";
export type { Inspected, InspectOptions, OpenedSplit } from "./inspect-dataset.ts";
export type * from "./inspection.ts";
export { pictureGrid } from "./picture-grid.ts";
