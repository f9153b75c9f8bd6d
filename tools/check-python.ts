// Files from this project into Python and back: saves models and exports of runs in every form, has Python load and compare them,
// and reads what Python saves.
//   npm run check:python -- --python /path/to/python
// The Python needs torch, diffusers, transformers, safetensors and peft. Exit status 0 when all agree, 2 otherwise.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { goldenDir } from "../test/golden-dir.ts";
import { checkHub } from "./check-hub.ts";
import { readPythonModels } from "./python/read-models.ts";
import { writeExports } from "./python/write-exports.ts";
import { writeForPython } from "./python/write-models.ts";

const { values: options } = parseArgs({
  options: { python: { type: "string", default: "python3" }, keep: { type: "string" } },
});
const folder = options.keep ?? mkdtempSync(join(tmpdir(), "invdiff-python-"));
let failed = false;
try {
  writeForPython(folder);
  await writeExports(join(folder, "exports"));
  const script = fileURLToPath(new URL("python/check_saved.py", import.meta.url));
  console.log(`${"what".padEnd(58)} ${"difference".padStart(10)} ${"tolerance".padStart(10)}`);
  const { status, error } = spawnSync(options.python, [script, folder, goldenDir()], { stdio: "inherit" });
  if (error)
    throw new Error(`${options.python} cannot be run (${error.message}); name another with --python`);
  failed = status !== 0;
  // The networks that the benchmarks on a card are measured against.
  const twin = fileURLToPath(new URL("bench/gpu/check_networks.py", import.meta.url));
  failed = spawnSync(options.python, ["-B", twin, goldenDir()], { stdio: "inherit" }).status !== 0 || failed;
  for (const { what, error: difference } of readPythonModels(folder)) {
    const good = difference === 0;
    failed ||= !good;
    console.log(
      `${what.padEnd(58)} ${difference.toExponential(2).padStart(10)} ${"0".padStart(10)}  ${good ? "ok" : "WRONG"}`,
    );
  }
  failed = !(await checkHub(options.python)) || failed;
  console.log(failed ? "Python and this project do not agree." : "Python and this project agree.");
} catch (error) {
  failed = true;
  console.error(error instanceof Error ? error.message : error);
} finally {
  if (options.keep === undefined) rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 2 : 0;
