// The files of a report beside its numbers: the page, the Markdown and the pictures that it names.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { writeFileAtomic } from "../torch/index.ts";
import { drawPictureSheets, renderMarkdown, renderReport, type ReportData } from "./report/index.ts";

/** Folder of the pictures that report.md names. */
export const PICTURES = "report-pictures";

/** Writes report.html, report.md and its pictures into `out`, replacing older ones: they can be made again. */
export async function writeReportFiles(out: string, data: ReportData): Promise<void> {
  const [page, sheets] = [await renderReport(data), await drawPictureSheets(data)];
  rmSync(join(out, PICTURES), { recursive: true, force: true });
  mkdirSync(join(out, PICTURES), { recursive: true });
  for (const [name, bytes] of sheets) writeFileAtomic(join(out, PICTURES, name), bytes);
  writeFileAtomic(join(out, "report.html"), page);
  writeFileAtomic(join(out, "report.md"), renderMarkdown(data, { pictures: PICTURES }));
}
