// The report as text.
import { ratioLine, type Row, targetLines } from "./rows.ts";
import type { BenchmarkReport } from "./report.ts";

const HEAD = [
  ...["case", "way", "ms", "images/s", "TFLOP/s", "of peak", "peak GB", "idle"],
  ...["Python ms", "images/s", "peak GB", "ratio", "target"],
];

const number = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? "-";
const digitsFor = (value: number | undefined): number =>
  value === undefined || value >= 100 ? 0 : value >= 10 ? 1 : 2;
const compact = (value: number | undefined): string => number(value, digitsFor(value));
const gigabytes = (bytes: number | undefined): string => number(bytes === undefined ? bytes : bytes / 1e9, 1);
const percent = (share: number | undefined): string =>
  share === undefined ? "-" : `${(100 * share).toFixed(1)} %`;

function cellsOf(row: Row): string[] {
  const name = row.row === "" ? row.case : `${row.case}, ${row.row}`;
  const { python, target } = row;
  // The reason stands below the table.
  const other = python?.failure?.replace(/ \(.*|:.*/s, "") ?? compact(python?.milliseconds);
  const mark = row.ratioVerdict === "not applicable" ? "" : ` ${row.ratioVerdict}`;
  return [
    ...[name, row.way, compact(row.milliseconds), compact(row.imagesPerSecond)],
    row.gigabytesPerSecond === undefined ? compact(row.teraflops) : `${compact(row.gigabytesPerSecond)} GB/s`,
    ...[percent(row.peakShare), gigabytes(row.peakBytes), percent(row.idleShare)],
    ...[other, compact(python?.imagesPerSecond), gigabytes(python?.peakBytes)],
    row.ratio === undefined ? "-" : `${row.ratio.toFixed(2)}${mark}`,
    target === undefined ? "" : `>= ${target.imagesPerSecond} ${target.verdict}`,
  ];
}

const LONGEST_FAILURE = 100;

/** One line for a case that has just been measured. */
export const rowLine = (row: Row): string =>
  row.failure === undefined
    ? cellsOf(row)
        .filter((cell) => cell !== "")
        .join("  ")
    : `${row.case}  ${row.way}  ${row.failure}`;

export function tableText({ rows }: Pick<BenchmarkReport, "rows">): string {
  const lines = rows.map((row) => ({ cells: cellsOf(row), failure: row.failure?.slice(0, LONGEST_FAILURE) }));
  // A failure takes the place of the numbers, and widens no column.
  const widths = HEAD.map((title, i) =>
    Math.max(
      title.length,
      ...lines.map(({ cells, failure }) => (failure === undefined || i < 2 ? cells[i]!.length : 0)),
    ),
  );
  const aligned = (cells: readonly string[]): string =>
    cells
      .map((cell, i) =>
        i < 2 || i === HEAD.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
      )
      .join("  ");
  return [
    aligned(HEAD),
    ...lines.map(({ cells, failure }) =>
      failure === undefined ? aligned(cells) : `${aligned(cells.slice(0, 2))}  ${failure}`,
    ),
  ]
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Why Python has no numbers in a case that was measured otherwise, once each. */
const pythonFailures = (rows: readonly Row[]): string[] => [
  ...new Set(
    rows.flatMap(({ case: name, python }) =>
      python?.failure === undefined ? [] : [`Python, ${name}: ${python.failure.slice(0, LONGEST_FAILURE)}`],
    ),
  ),
];

/** Everything that is printed at the end. */
export function reportText(report: BenchmarkReport): string {
  const { machine, ours, python, ceiling, seconds, commit, rows, card } = report;
  const driver = machine.driver === null ? "" : `, driver ${machine.driver}`;
  const cuda = ours.cuda === null ? "" : `, CUDA ${ours.cuda}`;
  const other = python
    ? `Python ${python.python}, torch ${python.torch}, networks: ${python.networks}`
    : "Python: not measured";
  const matmul =
    ceiling.matmulTeraflops === undefined ? "-" : `${ceiling.matmulTeraflops.toPrecision(4)} TFLOP/s`;
  const copy =
    ceiling.copyGigabytesPerSecond === undefined
      ? "-"
      : `${ceiling.copyGigabytesPerSecond.toPrecision(4)} GB/s`;
  return [
    `${card === "cpu" ? machine.processor : card}${driver}; ${machine.cores} cores; commit ${commit ?? "unknown"}`,
    `ours: libtorch ${ours.torch ?? "-"}${cuda}, Node ${ours.node ?? "-"}; ${other}`,
    `measured peak: matmul ${matmul}, copy ${copy}; ${seconds.toFixed(0)} s in all`,
    "",
    tableText(report),
    "",
    ...pythonFailures(rows),
    ...targetLines(rows),
    ratioLine(rows, card),
  ].join("\n");
}
