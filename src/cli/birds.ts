// invdiff birds: writes the procedural data set as an ordinary image folder.
import { numberFrom, wholeNumber } from "./config-options.ts";
import type { Program } from "./program.ts";

export function addBirds(program: Program): void {
  program
    .command("birds")
    .description("draw the biased birds data set into a folder")
    .requiredOption("--out <dir>", "folder for the images")
    .option("--train <n>", "training images", wholeNumber(), 4000)
    .option("--validation <n>", "balanced validation images", wholeNumber(), 1200)
    .option("--balance <share>", "share of birds on their usual place", numberFrom(0, 1), 0.9)
    .option(
      "--pose-balance <share>",
      "draw a second hidden attribute: share of birds in their usual pose (waterbirds facing left, landbirds right)",
      numberFrom(0, 1),
    )
    .option("--size <pixels>", "width and height", wholeNumber(8), 64)
    .option("--seed <n>", "seed of the drawing", wholeNumber(), 0)
    .option("--force", "replace an existing birds folder")
    .action(async ({ out, ...options }) => {
      const { drawBirds } = await import("../experiment/draw-birds.ts");
      const { session } = await import("./session.ts");
      await session(async ({ signal, progress }) => {
        await drawBirds(out, {
          ...options,
          signal,
          onProgress: (done, total) => progress({ stage: "birds", task: "drawing", done, total }),
        });
      });
      console.log(`Wrote ${options.train} training and ${options.validation} validation images to ${out}`);
    });
}
