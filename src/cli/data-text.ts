// What `invdiff data inspect` found, as text for a terminal.
import type {
  CaptionSummary,
  ColumnSummary,
  Duplicates,
  Fault,
  Inspection,
  Range,
  SizeSummary,
  SplitInspection,
} from "../data/inspect/index.ts";
import { bytesText } from "../torch/disk.ts";
import { numberText, printable, table } from "./text.ts";

/** Longer captions and values are cut. */
const LONGEST = 80;
/** More different numbers than this are shown as a range. */
const FEW_NUMBERS = 8;
/** Sets of equal pictures that are listed. */
const MOST_DUPLICATES = 10;

export function inspectionText({ path, splits, shared }: Inspection): string {
  const lines = [
    path,
    ...splits.flatMap(splitLines),
    ...shared.map(
      ({ splits: [first, second], images, example }) =>
        `${counted(images, "picture")} of ${nameOf(first)} ${images === 1 ? "is" : "are"} in ${nameOf(second)} too, such as ${short(example)}`,
    ),
    verdict(splits),
  ];
  return lines.join("\n");
}

const nameOf = (split: string | null): string => (split === null ? "the whole" : printable(split));

const counted = (count: number, noun: string): string =>
  `${numberText(count)} ${noun}${count === 1 ? "" : "s"}`;

function splitLines(found: SplitInspection): string[] {
  const { split, kind, images, captions, columns, sizes, broken, badCaptions, duplicates } = found;
  return [
    "",
    `${split === null ? "" : `${printable(split)}: `}${counted(images, "picture")} (${kind})`,
    ...indented([
      ...(sizes ? sizeLines(sizes) : []),
      ...captionLines(captions),
      ...columnLines(columns),
      ...duplicateLines(duplicates),
      ...faultLines("CAPTIONS", badCaptions),
      ...faultLines("BROKEN", broken),
    ]),
  ];
}

function sizeLines({ width, height, aspect, bytes, totalBytes }: SizeSummary): string[] {
  return [
    `width ${rangeText(width)} pixels, height ${rangeText(height)}, width : height ${rangeText(aspect)}`,
    `${bytesText(totalBytes)} together, one picture ${rangeText(bytes, bytesText)}`,
  ];
}

/** "64 to 512, median 128", or the one value that all have. */
function rangeText({ least, median, most }: Range, text: (value: number) => string = valueText): string {
  return least === most ? text(least) : `${text(least)} to ${text(most)}, median ${text(median)}`;
}

const valueText = (value: number): string => String(Number(value.toPrecision(4)));

function captionLines({ with: having, without, several, distinct, words, common }: CaptionSummary): string[] {
  if (having === 0) return ["no captions"];
  const notes = [
    ...(several > 0 ? [`${counted(several, "picture")} with more than one`] : []),
    ...(without > 0 ? [`${counted(without, "picture")} WITHOUT`] : []),
    ...(words ? [`words ${rangeText(words)}`] : []),
  ];
  const rows = common.map(({ value, count }) => [numberText(count).padStart(7), short(value)]);
  const rest = distinct - common.length;
  return [
    `captions: ${numberText(distinct)} different; ${notes.join("; ")}`,
    ...table(rows).split("\n"),
    ...(rest > 0 ? [`  ... and ${numberText(rest)} more`] : []),
  ];
}

function columnLines(columns: readonly ColumnSummary[]): string[] {
  if (columns.length === 0) return [];
  const rows = columns.map(({ name, missing, distinct, values, range }) => {
    const lacking = missing > 0 ? ` (missing ${numberText(missing)})` : "";
    const list = values?.map(({ value, count }) => `${short(value)} ${numberText(count)}`).join(", ");
    const isMeasure = range !== null && distinct > FEW_NUMBERS;
    const summary = isMeasure ? rangeText(range) : (list ?? `${numberText(distinct)} different values`);
    return [printable(name), `${summary}${lacking}`];
  });
  return ["columns:", ...table(rows).split("\n")];
}

function duplicateLines(duplicates: readonly Duplicates[]): string[] {
  if (duplicates.length === 0) return [];
  const spare = duplicates.reduce((sum, { ids }) => sum + ids.length - 1, 0);
  const rest = duplicates.length - MOST_DUPLICATES;
  return [
    `${counted(spare, "picture")} there more than once:`,
    ...duplicates
      .slice(0, MOST_DUPLICATES)
      .map(
        ({ ids, sameCaptions }) =>
          `  ${ids.map(short).join(", ")}${sameCaptions ? "" : " (with different captions)"}`,
      ),
    ...(rest > 0 ? [`  ... and ${numberText(rest)} more`] : []),
  ];
}

const faultLines = (title: string, faults: readonly Fault[]): string[] =>
  faults.length === 0
    ? []
    : [
        `${title}: ${counted(faults.length, "picture")}`,
        ...faults.map(({ id, problem }) => `  ${printable(id)}: ${printable(problem)}`),
      ];

function verdict(splits: readonly SplitInspection[]): string {
  const sum = (list: (split: SplitInspection) => readonly unknown[]): number =>
    splits.reduce((total, split) => total + list(split).length, 0);
  const [broken, captions] = [sum((split) => split.broken), sum((split) => split.badCaptions)];
  if (broken + captions === 0) return "\nEvery picture can be read.";
  const parts = [
    ...(broken > 0 ? [`${counted(broken, "picture")} cannot be read`] : []),
    ...(captions > 0 ? [`${counted(captions, "caption")} cannot be used`] : []),
  ];
  return `\n${parts.join(", ")}: see above. Replace them, or leave them out.`;
}

/** Whether something is wrong that training would stumble over. */
export const hasFaults = ({ splits }: Inspection): boolean =>
  splits.some(({ broken, badCaptions }) => broken.length + badCaptions.length > 0);

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

function short(text: string): string {
  const line = printable(text);
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 3)}...` : line;
}
