// Where results and logs go, and the lines that the user sees, which are kept there too.
import { accessSync, appendFileSync, constants, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SetupError } from "../../scripts/locate-libtorch.mjs";

export interface Results {
  readonly folder: string;
  readonly path: (name: string) => string;
  /** Prints a line and keeps it in gpu-check.log. */
  readonly say: (line: string) => void;
  /** Keeps a text there without printing it. */
  readonly keep: (text: string) => void;
  readonly writeJson: (name: string, value: unknown) => void;
}

const stamp = (): string => new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");

/** Makes the folder. Errors: SetupError when nothing can be written there. */
export function openResults(root: string, device: string, out: string | undefined): Results {
  const folder = resolve(out ?? join(root, "results", `${stamp()}-${device}`));
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new SetupError(
      `Nothing can be written to ${folder} (${(cause as Error).message}). Name another folder with --out FOLDER.`,
      { cause },
    );
  }
  const path = (name: string) => join(folder, name);
  writeFileSync(path("gpu-check.log"), "");
  // What an earlier check left in the same folder must not be taken for this one's.
  for (const name of ["parity.json", "bench.json", "gpu-check.json", "table.txt"])
    rmSync(path(name), { force: true });
  const keep = (text: string) => appendFileSync(path("gpu-check.log"), `${text}\n`);
  return {
    ...{ folder, path, keep },
    say: (line) => {
      console.log(line);
      keep(line);
    },
    writeJson: (name, value) => writeFileSync(path(name), `${JSON.stringify(value, null, 1)}\n`),
  };
}
