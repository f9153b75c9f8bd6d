// invdiff data: looks at data sets, and prepares published ones.
import { wholeNumber } from "./config-options.ts";
import { addDataPrepare } from "./data-prepare.ts";
import type { Program } from "./program.ts";

export function addData(program: Program): void {
  const data = program.command("data").description("look at data sets, and prepare published ones");
  data
    .command("inspect")
    .description("show what is in a data set: pictures, captions, columns, what is broken or there twice")
    .argument(
      "<path>",
      "folder of pictures or parquet files, a parquet file, or the name of a data set on a hub",
    )
    .option("--split <name>", "only this part, such as train or validation")
    .option("--caption-column <name>", "column of the captions (default: text, or caption)")
    .option("--grid <file>", "write a sheet of pictures as PNG")
    .option("--grid-images <n>", "pictures on the sheet", wholeNumber(1), 64)
    .option("--force", "replace an existing sheet")
    .option("--json", "print everything as JSON")
    .addHelpText(
      "after",
      "\nEvery picture is decoded. Exit code 1 when one is broken, or a caption is. A data set is a folder with\n" +
        "metadata.jsonl or metadata.csv, with a caption file beside each picture, with one folder for each class, or\n" +
        "with parquet files; its parts are folders or files called train, validation and test. Examples:\n" +
        "  invdiff data inspect birds --split train --grid birds.png\n" +
        "  invdiff data inspect hf://datasets/OWNER/NAME --json",
    )
    .action(async (path, options) => {
      const { runInspect } = await import("./run-inspect.ts");
      await runInspect(path, options);
    });
  addDataPrepare(data);
}
