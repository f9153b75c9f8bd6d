// The options of gpu-check.sh.
import { parseArgs } from "node:util";
import { SetupError } from "../../scripts/locate-libtorch.mjs";

export interface Options {
  /** "any" (of --build-only) asks for no card. */
  readonly device: "cuda" | "cpu" | "any";
  readonly python: string | undefined;
  readonly quick: boolean;
  readonly out: string | undefined;
  readonly skipBench: boolean;
  readonly skipParity: boolean;
  readonly buildOnly: boolean;
}

export const HELP = `Usage: gpu-check.sh [options]

Builds the addon against the torch of this host's Python, compares its numbers with PyTorch's, runs the benchmarks,
prints one table and writes it as JSON. Needs Python with torch >= 2.4 and a C++20 compiler; no Node.js, no network.

  --device cuda|cpu   what to check (default: cuda)
  --python PYTHON     the Python whose torch is used (default: that of the active environment, else python3, else python)
  --quick             fewer benchmarks: about 4 minutes instead of 10
  --out FOLDER        where results and logs go (default: a new folder in results/ of the bundle)
  --skip-bench        no benchmarks
  --skip-parity       no comparison of numbers
  --build-only        only build the addon, for ./invdiff
  -h, --help          this text

Exit code: 0 all is well; 1 something is missing on this host; 2 a number or a benchmark failed; 130 after Ctrl-C.
GOLDEN_DIR names other fixtures, CXX another compiler, CUDA_HOME a folder with CUDA's headers.
`;

/** Undefined when only the help was asked for. Errors: SetupError naming the option. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parsed(args);
  if (values.help) return undefined;
  const { device, out, python } = values;
  if (device !== "cuda" && device !== "cpu" && device !== "any")
    throw new SetupError(`--device is ${device}; expected cuda or cpu.`);
  return {
    ...{ device, out, python, quick: values.quick, buildOnly: values["build-only"] },
    ...{ skipBench: values["skip-bench"], skipParity: values["skip-parity"] },
  };
}

const flag = { type: "boolean", default: false } as const;

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        device: { type: "string", default: "cuda" },
        python: { type: "string" },
        out: { type: "string" },
        quick: flag,
        "skip-bench": flag,
        "skip-parity": flag,
        "build-only": flag,
        help: { ...flag, short: "h" },
      },
    });
  } catch (error) {
    throw new SetupError(`${(error as Error).message}\nSee gpu-check.sh --help.`);
  }
}
