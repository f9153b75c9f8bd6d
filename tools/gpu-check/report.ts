// The one table and the JSON of a whole check.
import type { BenchmarkReport } from "../../bench/gpu/index.ts";
import type { BuiltAddon } from "./build.ts";
import type { FoundTorch } from "./find-torch.ts";
import type { Host } from "./host.ts";
import { isGood, type PartResult } from "./part-result.ts";
import { cells, gather, isWithin } from "./rows.ts";
import { tableLines } from "./table.ts";

export interface CheckReport {
  readonly made: string;
  readonly version: string;
  readonly commit: string;
  readonly changedFiles: readonly string[];
  readonly device: string;
  readonly quick: boolean;
  readonly host: Host;
  readonly torch: Omit<FoundTorch, "normal">;
  readonly build: BuiltAddon;
  /** Undefined when left out. */
  readonly parity?: readonly PartResult[];
  readonly bench?: BenchmarkReport;
  /** What is wrong, in sentences; empty when all is well. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** What is wrong with the parts of the parity subset. */
export function parityProblems(parts: readonly PartResult[]): string[] {
  return parts
    .filter((part) => !isGood(part))
    .map(({ name, comparisons, error }) => {
      if (error !== undefined) return `${name}: ${error}`;
      const outside = comparisons.filter((one) => !isWithin(one));
      return `${name}: ${outside.length} of ${comparisons.length} values outside their tolerance`;
    });
}

/** Rows that have no numbers because something failed; no memory or no time is no fault. */
export const benchProblems = ({ rows }: BenchmarkReport): string[] =>
  rows.flatMap(({ case: name, way, failure }) =>
    failure?.startsWith("failed") ? [`${name}, ${way}: ${failure}`] : [],
  );

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Host, card, torch, compiler: what the numbers belong to. */
export function headLines({ host, torch, build, version, commit }: CheckReport): string[] {
  const { libtorch, cards = [], python, cudnn, importError } = torch;
  const cuda =
    libtorch.cuda === null ? "CPU build" : `CUDA ${libtorch.cuda}${cudnn ? `, cuDNN ${cudnn}` : ""}`;
  return [
    `InvDiff ${version}, commit ${commit}, Node.js ${process.versions.node}`,
    `host: ${host.system}, Linux ${host.kernel}, ${host.cpu}, ${host.cores} cores, ${gigabytes(host.memoryBytes)}`,
    ...host.cards.map((card) => `card: ${card}`),
    ...cards.map(
      (card) =>
        `torch sees: ${card.name}, compute capability ${card.capability}, ${gigabytes(card.freeBytes)} of ${gigabytes(card.totalBytes)} free`,
    ),
    `torch ${libtorch.version}, ${cuda}, Python ${python}: ${libtorch.path}`,
    ...(importError === undefined
      ? []
      : [`Python cannot import this torch (${importError}): no Python columns`]),
    `compiler: ${build.compiler}`,
  ];
}

/** The table of the benchmarks; its module loads the addon, so that it may be what fails. */
async function benchLines(bench: BenchmarkReport | undefined): Promise<string[]> {
  if (bench === undefined) return [];
  try {
    const { reportText } = await import("../../bench/gpu/index.ts");
    return ["", ...reportText(bench).split("\n")];
  } catch (error) {
    return [
      "",
      `The benchmarks' table cannot be made (${(error as Error).message}); bench.json has the numbers.`,
    ];
  }
}

/** Everything that is shown at the end. */
export async function reportLines(report: CheckReport): Promise<string[]> {
  const { parity, bench, problems } = report;
  const comparisons = parity?.flatMap((part) => part.comparisons) ?? [];
  const verdict =
    problems.length === 0
      ? [`gpu-check: all is well (${report.seconds.toFixed(0)} s)`]
      : [`gpu-check: FAILED (${report.seconds.toFixed(0)} s)`, ...problems.map((line) => `  ${line}`)];
  return [
    ...["", ...headLines(report)],
    ...(comparisons.length === 0 ? [] : ["", ...tableLines(cells(gather(comparisons)), [0, 4, 5])]),
    ...(await benchLines(bench)),
    ...["", ...verdict],
  ];
}
