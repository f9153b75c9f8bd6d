// The README's picture: the first seeds of a finished quickstart, base above guided, one block per prompt.
// Run: npx tsx tools/readme-picture.ts runs/seed-0 docs/before-after.png
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { imageGrid } from "../src/data/index.ts";
import { loadSamples } from "../src/experiment/stages/samples.ts";
import { cat } from "../src/torch/index.ts";

const [run = "", target = ""] = process.argv.slice(2);
const COUNT = 10;
const base = loadSamples(join(run, "samples-base"));
const guided = loadSamples(join(run, "samples"));
const rows = base.prompts.flatMap((_, p) =>
  [base, guided].map(({ images, perPrompt }) => images.slice(0, p * perPrompt, p * perPrompt + COUNT)),
);
writeFileSync(target, await imageGrid(cat(rows, 0), { columns: COUNT, scale: 1, gap: 3 }));
