// The benchmarks of one device, for the command line (main.ts) and for the check that comes with the bundle.
export { type BenchmarkReport } from "./report.ts";
export { type BenchmarkOptions, runGpuBenchmarks } from "./run.ts";
export { type Row, type Verdict } from "./rows.ts";
export { reportText } from "./table.ts";
