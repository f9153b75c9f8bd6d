// The report of a run: report.html for people, the types of evaluation.json for programs.
export type {
  AttributeEvaluation,
  ClassifierEvaluation,
  EvaluationJson,
  GroupEvaluation,
  ModelEvaluation,
} from "./evaluation-json.ts";
export { escapeHtml } from "./html.ts";
export { renderReport } from "./render-report.ts";
export type * from "./report-data.ts";
