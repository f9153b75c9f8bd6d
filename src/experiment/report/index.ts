// The report of a run: HTML and Markdown for people, JSON for programs.
export { groupDifferences } from "./differences.ts";
export type { DifferenceColumns, DifferenceOptions } from "./differences.ts";
export type {
  AttributeEvaluation,
  ClassifierEvaluation,
  EvaluationJson,
  GroupEvaluation,
  ModelEvaluation,
} from "./evaluation-json.ts";
export type * from "./group-data.ts";
export { escapeHtml } from "./html.ts";
export type * from "./metric-data.ts";
export { drawPictureSheets } from "./picture-sheets.ts";
export { renderMarkdown } from "./render-markdown.ts";
export type { MarkdownOptions } from "./render-markdown.ts";
export { renderReport } from "./render-report.ts";
export type { ReportOptions } from "./render-report.ts";
export type * from "./report-data.ts";
export { reportJson } from "./report-json.ts";
export type { ComparisonJson, MeasuredJson, MetricJson, MetricTableJson } from "./report-json.ts";
