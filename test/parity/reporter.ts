// Prints, after the parity tests, the worst error of every golden beside its tolerance.
import type { Reporter, TestCase, TestModule } from "vitest/node";
import type { ParityRecord } from "./within.ts";

interface Row {
  worst: ParityRecord;
  count: number;
}

const share = ({ error, tolerance }: ParityRecord): number =>
  Number.isNaN(error) ? Infinity : tolerance === 0 ? error : error / tolerance;

const numberText = (value: number): string => (value === 0 ? "exact" : value.toPrecision(2));

export default class ParityReporter implements Reporter {
  readonly #rows = new Map<string, Row>();
  readonly #skipped: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.result().state === "skipped") this.#skipped.push(test.fullName);
    for (const record of test.meta().parity ?? []) {
      const row = this.#rows.get(record.golden) ?? { worst: record, count: 0 };
      row.count++;
      if (share(record) > share(row.worst)) row.worst = record;
      this.#rows.set(record.golden, row);
    }
  }

  onTestRunEnd(_modules: readonly TestModule[]): void {
    const rows = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1));
    if (rows.length === 0) return;
    const cells = [
      ["golden", "values", "worst error", "tolerance", "where"],
      ...rows.map(([golden, { worst, count }]) => [
        golden,
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
