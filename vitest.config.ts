// Tests: two worker processes with one libtorch thread each, which suits two cores better than one process with two.
import { defineConfig } from "vitest/config";

const json = process.env["INVDIFF_TEST_JSON"];

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts", "tools/**/*.test.ts"],
    pool: "forks", // the addon is loaded once per process, never shared between worker threads
    maxWorkers: 2,
    env: { OMP_NUM_THREADS: "1" },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    slowTestThreshold: 5_000,
    reporters: [
      "default",
      "./test/parity/reporter.ts",
      ...(json === undefined ? [] : [["json", { outputFile: json }] as [string, Record<string, unknown>]]),
    ],
  },
});
