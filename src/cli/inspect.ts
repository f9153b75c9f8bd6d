// invdiff inspect: what a model folder, a file of tensors, a checkpoint or a pickle contains, without loading it.
import type { Program } from "./program.ts";

export function addInspect(program: Program): void {
  program
    .command("inspect")
    .description(
      "show what a model folder, safetensors file, checkpoint or pickle contains, without loading it",
    )
    .argument("<path>", "file or folder")
    .option("--keys", "list every tensor of a folder too (of a single file they are always listed)")
    .option("--json", "print everything as JSON")
    .addHelpText(
      "after",
      "\nOnly headers are read, and nothing in a pickle is ever run: what it would run is listed. Examples:\n" +
        "  invdiff inspect sd/unet --keys\n" +
        "  invdiff inspect pytorch_model.bin",
    )
    .action(async (path, { keys = false, json = false }) => {
      const { inspectPath } = await import("../checkpoint/inspect/index.ts");
      const { inspectionText } = await import("./inspect-text.ts");
      const found = inspectPath(path);
      const text = json ? JSON.stringify(found, null, 2) : inspectionText(found, { keys });
      process.stdout.write(`${text}\n`);
      if (hasBroken(found)) process.exitCode = 1;
    });
}

type Found = import("../checkpoint/inspect/index.ts").Inspection;

const hasBroken = (found: Found): boolean =>
  found.kind === "broken" || (found.kind === "folder" && found.items.some(hasBroken));
