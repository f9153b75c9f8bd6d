// What a run has learnt, for other programs. Importing this does not load the engine; exporting does.
import type { ExportRequest, ExportResult } from "./request.ts";

export { EXPORT_FORMS, type ExportForm, type ExportRequest, type ExportResult } from "./request.ts";

/** `writeExport` of export-run.ts, loaded when it is called. */
export async function exportRun(request: ExportRequest): Promise<ExportResult> {
  const { writeExport } = await import("./export-run.ts");
  return await writeExport(request);
}
