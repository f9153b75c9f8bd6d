// What the three forms of export have in common.
import type { ExportRequest } from "./request.ts";
import type { ExportSource } from "./source.ts";

/** Writes one form into the empty folder `dir` and returns the notes. Errors: UserError where the form is not possible. */
export type Writer = (
  dir: string,
  source: ExportSource,
  options: Pick<ExportRequest, "dtype" | "strength">,
) => readonly string[];
