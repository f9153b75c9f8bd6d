// Prints, after the parity tests, the worst error of every golden beside its tolerance.
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { gather } from "../../tools/gpu-check/rows.ts";
import type { ParityRecord } from "./within.ts";

const numberText = (value: number): string => (value === 0 ? "exact" : value.toPrecision(2));

export default class ParityReporter implements Reporter {
  readonly #records: ParityRecord[] = [];
  readonly #skipped: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.result().state === "skipped") this.#skipped.push(test.fullName);
    this.#records.push(...(test.meta().parity ?? []));
  }

  onTestRunEnd(_modules: readonly TestModule[]): void {
    const comparisons = this.#records.map(({ golden: row, ...record }) => ({ row, ...record }));
    const rows = gather(comparisons).sort((a, b) => (a.row < b.row ? -1 : 1));
    if (rows.length === 0) return;
    const cells = [
      ["golden", "values", "worst error", "tolerance", "where"],
      ...rows.map(({ row, worst, count }) => [
        row,
        String(count),
        numberText(worst.error),
        worst.tolerance === 0 ? "exact" : String(worst.tolerance),
        worst.at,
      ]),
    ];
    const widths = cells[0]!.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
    const lines = cells.map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    );
    const skipped = this.#skipped.map((name) => `not run: ${name}`);
    process.stdout.write(`\n${[...lines, ...skipped].join("\n")}\n`);
  }
}
