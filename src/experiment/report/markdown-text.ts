// Markdown as GitHub reads it: texts of the user's escaped, tables, blocks of code.

import { isRightToLeft } from "./format.ts";

/** Text as it stands: no character of it is taken for formatting or HTML, and it stays on one line. */
export function escapeMarkdown(text: string): string {
  const line = text.replace(/[\x00-\x1f\x7f\s]+/g, " ").trim();
  const escaped = line
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/[\\`*_{}[\]#|~$@]/g, (c) => `&#${c.charCodeAt(0)};`)
    // A web address would become a link, a number or sign at the start a list.
    .replaceAll("://", "&#58;//")
    .replace(/^(\d+)([.)])/, (_, digits: string, mark: string) => `${digits}&#${mark.charCodeAt(0)};`)
    .replace(/^[-+=]/, (c) => `&#${c.charCodeAt(0)};`);
  return isolated(escaped);
}

/** Right-to-left text does not turn the text around it. */
function isolated(text: string): string {
  return isRightToLeft(text) ? `\u2068${text}\u2069` : text;
}

/** A table; cells are Markdown already. Columns after the first are set to the right, except those in `text`. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { text = [] }: { text?: readonly number[] } = {},
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 || text.includes(i) ? ":--" : "--:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** A block of code that no content can end early. */
export function codeFence(text: string, language = ""): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}
