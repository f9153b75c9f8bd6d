// Draws a folder in the format of an official download, for trying `invdiff data prepare` and what follows without one.
//   npx tsx tools/draw-official.ts waterbirds DIR [SIZE]     4,000 training pictures, 92.5 % on their usual place
//   npx tsx tools/draw-official.ts celeba DIR [SIZE]         6,000: 1,000 to 2,000 of each kind
//   npx tsx tools/draw-official.ts fairface DIR [SIZE]       4,000: 500 of each of eight kinds
import { makeCeleba, makeFairface, makeWaterbirds } from "../test/official-folders.ts";

const many = (count: number, of: number): number[] => new Array<number>(of).fill(count);

const KINDS: Record<string, (dir: string, size: number) => Promise<unknown>> = {
  waterbirds: (dir, size) =>
    makeWaterbirds(dir, {
      size,
      counts: { train: [1850, 150, 150, 1850], validation: many(300, 4), test: many(10, 4) },
    }),
  celeba: (dir, size) =>
    makeCeleba(dir, {
      size,
      counts: { train: [1000, 2000, 2000, 1000], validation: many(300, 4), test: many(10, 4) },
    }),
  fairface: (dir, size) =>
    makeFairface(dir, { size, counts: { train: many(500, 8), validation: many(150, 8), test: [] } }),
};

const [name = "", dir, size = "64"] = process.argv.slice(2);
const draw = KINDS[name];
if (!draw || !dir || !(Number(size) >= 8)) {
  console.error("usage: npx tsx tools/draw-official.ts waterbirds|celeba|fairface DIR [SIZE]");
  process.exitCode = 2;
} else await draw(dir, Number(size));
