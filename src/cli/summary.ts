// The result of a run in a few lines.
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import type { RunResult } from "../experiment/index.ts";
import { durationText } from "./text.ts";

/** What came out: the bias before and after, where the report is, the time. */
export function summaryText({ out, manifests }: RunResult): string {
  const lines: string[] = [];
  const evaluation = manifests[stageOf(manifests, "evaluation") ?? ""]?.result;
  const base = numbersOf(evaluation, "base");
  const guided = numbersOf(evaluation, "guided");
  if (base?.bias !== undefined && guided?.bias !== undefined)
    lines.push(
      `Bias: base ${base.bias.toFixed(2)} -> guided ${guided.bias.toFixed(2)} (0 = none, 1 = total)`,
    );
  if (base?.promptAccuracy !== undefined && guided?.promptAccuracy !== undefined)
    lines.push(
      `Prompt accuracy: base ${base.promptAccuracy.toFixed(3)} -> guided ${guided.promptAccuracy.toFixed(3)}`,
    );
  if (base?.fid !== undefined && guided?.fid !== undefined)
    lines.push(`FID: base ${base.fid.toFixed(2)} -> guided ${guided.fid.toFixed(2)}`);
  const seconds = Object.values(manifests).reduce((sum, manifest) => sum + manifest.seconds, 0);
  lines.push(`Working time of these stages: ${durationText(seconds)}`);
  const report = [
    join(out, stageOf(manifests, "report") ?? "report", "report.html"),
    join(out, "report.html"),
  ].find(existsSync);
  lines.push(report === undefined ? `Results: ${shortPath(out)}` : `Report: ${shortPath(report)}`);
  return lines.join("\n");
}

interface Numbers {
  bias?: number;
  promptAccuracy?: number;
  fid?: number;
}

/** The stage of a kind: "evaluation" may be called "evaluation-oracle". */
const stageOf = (manifests: RunResult["manifests"], kind: string): string | undefined =>
  Object.keys(manifests).find((name) => name === kind || name.startsWith(`${kind}-`));

/** Numbers of one model in the result of the evaluation, if it has them. */
function numbersOf(result: Record<string, unknown> | undefined, model: string): Numbers | undefined {
  const value = result?.[model];
  if (typeof value !== "object" || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => typeof item === "number"));
}

const shortPath = (path: string): string => {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
};
