// The benchmarks as a process of their own, so that they can be ended when time is up: node bench.js OPTIONS-AS-JSON
import { type BenchmarkOptions, runGpuBenchmarks } from "../../bench/gpu/index.ts";

try {
  const options = JSON.parse(process.argv[2] ?? "{}") as BenchmarkOptions;
  await runGpuBenchmarks({ ...options, print: (line) => console.log(`bench: ${line}`) });
} catch (error) {
  console.log(`bench: failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
