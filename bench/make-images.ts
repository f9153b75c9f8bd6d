// Writes 512 pictures of mixed sizes to the folder BENCH_FOLDER, always the same: soft shapes with noise, as photographs have both.
import { join } from "node:path";

import sharp from "sharp";

import { Random } from "../src/data/index.ts";
import { inParallel } from "../src/data/in-parallel.ts";

const COUNT = 512;
/** In turn: mostly what data sets have, some large ones, some PNG. */
const KINDS = [
  ...[
    [640, 480, "jpg"],
    [500, 375, "jpg"],
    [1024, 768, "jpg"],
    [375, 500, "jpg"],
  ],
  ...[
    [640, 480, "jpg"],
    [500, 375, "jpg"],
    [1024, 768, "jpg"],
    [2000, 1500, "jpg"],
  ],
  ...[
    [640, 480, "jpg"],
    [480, 640, "jpg"],
    [768, 1024, "jpg"],
    [500, 375, "jpg"],
  ],
  ...[
    [640, 480, "jpg"],
    [640, 480, "png"],
    [1024, 768, "jpg"],
    [2000, 1500, "jpg"],
  ],
] as const satisfies readonly (readonly [width: number, height: number, ending: string])[];
/** Pixels between two random colours. */
const GRAIN = 40;

const noise = new Random("bench-images", 0);
const NOISE = Int8Array.from({ length: 1 << 20 }, () => 24 * (noise.uniform() - 0.5));

async function write(folder: string, number: number): Promise<void> {
  const [width, height, ending] = KINDS[number % KINDS.length]!;
  const random = new Random("bench-images", number + 1);
  const [columns, rows] = [Math.ceil(width / GRAIN), Math.ceil(height / GRAIN)];
  const colours = Uint8Array.from({ length: 3 * columns * rows }, () => 256 * random.uniform());
  const pixels = await sharp(colours, { raw: { width: columns, height: rows, channels: 3 } })
    .resize(width, height, { kernel: "cubic", fit: "fill" })
    .raw()
    .toBuffer();
  let at = Math.floor(NOISE.length * random.uniform());
  for (let i = 0; i < pixels.length; i++) {
    at = at + 1 < NOISE.length ? at + 1 : 0;
    pixels[i] = Math.min(Math.max(pixels[i]! + NOISE[at]!, 0), 255);
  }
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  const encoded = ending === "png" ? image.png() : image.jpeg({ quality: 90 });
  await encoded.toFile(join(folder, `${String(number).padStart(4, "0")}.${ending}`));
}

const folder = process.env["BENCH_FOLDER"]!;
await inParallel(COUNT, { limit: 4 }, (number) => write(folder, number));
