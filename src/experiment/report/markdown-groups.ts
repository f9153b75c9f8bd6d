// The groups of the Markdown report: sizes, typical images, what differs between them, agreement with the hidden attribute.
import { fixed, integer, percent, percent1 } from "./format.ts";
import type { GroupDifference, ReportGroup } from "./group-data.ts";
import { escapeMarkdown, markdownTable } from "./markdown-text.ts";
import { groupSheet, sheetLink } from "./picture-sheets.ts";
import type { ReportData } from "./report-data.ts";
import { liftText } from "./sections/differences.ts";

/** Groups by caption. */
export function markdownGroups(data: ReportData, pictures: string | undefined): string[] {
  const { groups } = data;
  if (!groups) return [];
  const captions = groups.captions.flatMap(({ caption, groups: own }, c) =>
    block(data, own, { title: `\u201c${escapeMarkdown(caption)}\u201d`, caption: c, pictures }),
  );
  const { auc, precision, recall, purity } = groups.agreement ?? {};
  const scores = Object.entries({ AUC: auc, precision, recall, purity }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${fixed(value, 3)}`],
  );
  return [
    data.groupsFromLabels ? "## Groups from true labels" : "## Groups",
    escapeMarkdown(groups.method),
    ...(scores.length > 0
      ? [
          `Agreement with the ${escapeMarkdown(data.attribute?.name ?? "attribute")} (evaluation only): ${scores.join(", ")}.`,
        ]
      : []),
    ...(groups.overall
      ? block(data, groups.overall, { title: "All captions together", caption: -1, pictures })
      : []),
    ...captions,
  ];
}

function block(
  { attribute }: ReportData,
  groups: readonly ReportGroup[],
  { title, caption, pictures }: { title: string; caption: number; pictures: string | undefined },
): string[] {
  const values = groups.some(({ shares }) => shares) ? (attribute?.values ?? []) : [];
  const rows = groups.map(({ label, size, shares }) => [
    escapeMarkdown(label),
    integer(size),
    ...values.map((_, v) => (shares ? percent1(shares[v] ?? 0) : "\u2013")),
  ]);
  const details = groups.flatMap(({ label, images, differences }, g) => {
    const shown =
      pictures !== undefined && images.length > 0
        ? [sheetLink(pictures, groupSheet(caption, g), `Typical images of ${label}`)]
        : [];
    const table = differences && differences.length > 0 ? [differenceTable(differences)] : [];
    return shown.length + table.length > 0 ? [`**${escapeMarkdown(label)}**`, ...shown, ...table] : [];
  });
  return [
    `### ${title}`,
    markdownTable(["Group", "Images", ...values.map(escapeMarkdown)], rows),
    ...details,
  ];
}

function differenceTable(differences: readonly GroupDifference[]): string {
  return markdownTable(
    ["More frequent in this group", "Here", "Overall", "Lift"],
    differences.map(({ kind, column, value, share, overall, lift }) => [
      kind === "column"
        ? `${escapeMarkdown(column)}: ${escapeMarkdown(value)}`
        : `${kind} \u201c${escapeMarkdown(value)}\u201d`,
      percent(share),
      percent(overall),
      liftText(lift),
    ]),
  );
}
