// Tiny Waterbirds, CelebA and FairFace folders in exactly the layout and formats of the official downloads. The pictures
// show their attributes (place by the scene, bird by its shape; gender by shape, hair or race group by colour), so that
// models and classifiers can learn them. Everything depends on the options alone.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { birdScene } from "../src/data/birds/index.ts";
import { inParallel } from "../src/data/in-parallel.ts";
import { Random } from "../src/data/random.ts";

/** Number of images of each cell (in the order that the maker documents) in each part of the data set. */
export interface CellCounts {
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

export interface FolderOptions {
  readonly counts?: Partial<CellCounts>;
  /** Width and height of the pictures in pixels. Default 64. */
  readonly size?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** One image as it was made. */
export interface MadeImage {
  /** Name as listed. */
  readonly name: string;
  /** Absolute path. */
  readonly file: string;
  readonly part: keyof CellCounts;
  /** Index of its cell. */
  readonly cell: number;
}

export const WATERBIRD_CELLS = [
  "landbird on land",
  "landbird on water",
  "waterbird on land",
  "waterbird on water",
] as const;
export const CELEBA_CELLS = ["blond man", "blond woman", "dark man", "dark woman"] as const;
/** Men, then women; each White, Asian, Indian, Black. */
export const FAIRFACE_CELLS = ["Male", "Female"].flatMap((gender) =>
  ["White", "Asian", "Indian", "Black"].map((race) => `${gender} ${race}`),
);

const PARTS = ["train", "validation", "test"] as const;

/** Cells of every image of a part, in shuffled order, as in the official lists no cell comes in one piece. */
const shuffledCells = (counts: readonly number[], random: Random): number[] =>
  random.shuffle(counts.flatMap((count, cell) => new Array<number>(count).fill(cell)));

/** Draws one picture and writes it as JPEG. */
type Draw = (image: MadeImage, random: Random) => string;

async function drawAll(
  images: readonly MadeImage[],
  { size = 64, seed = 0 }: FolderOptions,
  draw: Draw,
): Promise<void> {
  for (const folder of new Set(images.map(({ file }) => dirname(file))))
    mkdirSync(folder, { recursive: true });
  await inParallel(images.length, { limit: 4 }, async (i) => {
    const image = images[i]!;
    const svg = draw(image, new Random("official", seed, image.name));
    await sharp(Buffer.from(svg), { density: (72 * size) / 64 })
      .resize(size, size, { fit: "fill" })
      .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
      .toFile(image.file);
  });
}

const LANDBIRDS = ["004.Groove_billed_Ani", "014.Indigo_Bunting", "073.Blue_Jay", "102.Western_Kingbird"];
const WATERBIRDS = ["001.Black_footed_Albatross", "059.California_Gull", "087.Mallard", "101.White_Pelican"];

/**
 * `dir` as waterbird_complete95_forest2water2/ unpacks: metadata.csv and a folder of pictures for each species.
 * Cells: WATERBIRD_CELLS. Default counts: train 38, 2, 2, 38 (95 %), validation and test 6 of each.
 * Pictures are those of the project's Birds: scene by place, bird by kind.
 */
export async function makeWaterbirds(dir: string, options: FolderOptions = {}): Promise<MadeImage[]> {
  const { seed = 0, counts = {} } = options;
  const { train = [38, 2, 2, 38], validation = [6, 6, 6, 6], test = [6, 6, 6, 6] } = counts;
  const all = { train, validation, test };
  const images: MadeImage[] = [];
  const lines = ["img_id,img_filename,y,split,place,place_filename"];
  for (const [split, part] of PARTS.entries())
    for (const cell of shuffledCells(all[part], new Random("waterbirds", seed, part))) {
      const [y, place] = [cell >> 1, cell & 1];
      const id = images.length + 1;
      const species = (y === 1 ? WATERBIRDS : LANDBIRDS)[id % 4]!;
      const bird = species.replace(/^\d+\./, "");
      const name = `${species}/${bird}_${String(id).padStart(4, "0")}_${796000 + id}.jpg`;
      images.push({ name, file: join(dir, name), part, cell });
      const scene = place === 1 ? "/o/ocean/" : "/f/forest/broadleaf/";
      lines.push(`${id},${name},${y},${split},${place},${scene}${String(id).padStart(8, "0")}.jpg`);
    }
  await drawAll(images, options, ({ cell }, random) =>
    birdScene({
      subject: cell >= 2 ? "waterbird" : "landbird",
      place: cell % 2 === 1 ? "water" : "land",
      random,
    }),
  );
  writeFileSync(join(dir, "metadata.csv"), `${lines.join("\n")}\n`);
  return images;
}

/** The published attributes in their order. */
export const CELEBA_ATTRIBUTES = (
  "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair Blurry " +
  "Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male " +
  "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns " +
  "Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
).split(" ");

export interface CelebaOptions extends FolderOptions {
  /** "txt" as on the project page (default), "csv" as in copies. */
  readonly format?: "txt" | "csv";
  /** Pictures in img_align_celeba/img_align_celeba/. Default: only with "csv". */
  readonly nested?: boolean;
  /** Every `brownEvery`-th dark-haired image has brown hair, the others black. Default 4; 0: none. */
  readonly brownEvery?: number;
}

/**
 * `dir` as CelebA's archives unpack into one folder: list_attr_celeba, list_eval_partition, img_align_celeba/.
 * Cells: CELEBA_CELLS. Default counts: train 8, 24, 40, 40, validation and test 6, 8, 8, 8.
 * A man is a square on the left, a woman a disc on the right; the band on top has the colour of the hair.
 */
export async function makeCeleba(dir: string, options: CelebaOptions = {}): Promise<MadeImage[]> {
  const { seed = 0, counts = {}, format = "txt", nested = format === "csv", brownEvery = 4 } = options;
  const { train = [8, 24, 40, 40], validation = [6, 8, 8, 8], test = [6, 8, 8, 8] } = counts;
  const all = { train, validation, test };
  const folder = join(dir, "img_align_celeba", nested ? "img_align_celeba" : "");
  const images: MadeImage[] = [];
  const isBrown = new Set<string>();
  const attributes: string[][] = [];
  const partition: string[] = [];
  for (const [split, part] of PARTS.entries())
    for (const cell of shuffledCells(all[part], new Random("celeba", seed, part))) {
      const id = images.length + 1;
      const name = `${String(id).padStart(6, "0")}.jpg`;
      if (cell >= 2 && brownEvery > 0 && id % brownEvery === 0) isBrown.add(name);
      images.push({ name, file: join(folder, name), part, cell });
      attributes.push(celebaValues(cell, isBrown.has(name), new Random("attributes", seed, id)));
      partition.push(String(split));
    }
  await drawAll(images, options, ({ name, cell }, random) => face(cell, isBrown.has(name), random));
  const write = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, `${name}.${format}`), `${lines.join("\n")}\n`);
  const names = images.map(({ name }) => name);
  if (format === "csv") {
    write("list_attr_celeba", [
      ["image_id", ...CELEBA_ATTRIBUTES].join(","),
      ...names.map((name, i) => [name, ...attributes[i]!].join(",")),
    ]);
    write("list_eval_partition", [
      "image_id,partition",
      ...names.map((name, i) => `${name},${partition[i]}`),
    ]);
  } else {
    // As published: a space after the names, values right-aligned to two places.
    write("list_attr_celeba", [
      String(names.length),
      `${CELEBA_ATTRIBUTES.join(" ")} `,
      ...names.map((name, i) => `${name} ${attributes[i]!.map((value) => value.padStart(2)).join(" ")}`),
    ]);
    write(
      "list_eval_partition",
      names.map((name, i) => `${name} ${partition[i]}`),
    );
  }
  return images;
}

function celebaValues(cell: number, isBrown: boolean, random: Random): string[] {
  const set: Record<string, boolean> = {
    Male: cell % 2 === 0,
    Blond_Hair: cell < 2,
    Brown_Hair: isBrown,
    Black_Hair: cell >= 2 && !isBrown,
    Gray_Hair: false,
    Bald: false,
  };
  return CELEBA_ATTRIBUTES.map((name) => ((set[name] ?? random.chance(0.3)) ? "1" : "-1"));
}

function face(cell: number, isBrown: boolean, random: Random): string {
  const isMan = cell % 2 === 0;
  const hair = cell < 2 ? "#f0d060" : isBrown ? "#704820" : "#181410";
  return figure({ isMan, fill: "#d8a888", top: hair, back: `hsl(210,20%,${random.int(20) + 55}%)` }, random);
}

/** A square on the left or a disc on the right under a band. */
function figure(
  { isMan, fill, top, back }: { isMan: boolean; fill: string; top: string; back: string },
  random: Random,
): string {
  const [x, y] = [(isMan ? 24 : 40) + random.uniform(-3, 3), 38 + random.uniform(-3, 3)];
  const r = random.uniform(14, 18);
  const body = isMan
    ? `<rect x="${x - r}" y="${y - r}" width="${2 * r}" height="${2 * r}" fill="${fill}"/>`
    : `<circle cx="${x}" cy="${y}" r="${r * 1.1}" fill="${fill}"/>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 64 64">` +
    `<rect width="64" height="64" fill="${back}"/>${body}<rect width="64" height="14" fill="${top}"/></svg>`
  );
}

const RACES = [
  ["White", "Latino_Hispanic", "Middle Eastern"],
  ["East Asian", "Southeast Asian"],
  ["Indian"],
  ["Black"],
] as const;
const AGES = ["0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70"];
const COLOURS = ["#e05040", "#40a050", "#4060d0", "#d0b030"];

export interface FairfaceOptions extends FolderOptions {
  /** The pictures in a folder of the archive's name, as it unpacks. Default false: beside the label files. */
  readonly nested?: boolean;
}

/**
 * `dir` as FairFace's label files and pictures lie: fairface_label_train.csv, fairface_label_val.csv, train/, val/.
 * Cells: FAIRFACE_CELLS. Default counts: train 12 of each, validation 6 of each; there is no test part.
 * A man is a square on the left, a woman a disc on the right; the colour shows the race group.
 */
export async function makeFairface(dir: string, options: FairfaceOptions = {}): Promise<MadeImage[]> {
  const { seed = 0, counts = {}, nested = false } = options;
  const { train = new Array<number>(8).fill(12), validation = new Array<number>(8).fill(6) } = counts;
  const folder = join(dir, nested ? "fairface-img-margin025-trainval" : "");
  const images: MadeImage[] = [];
  const parts = [
    ["train", "train", train],
    ["val", "validation", validation],
  ] as const;
  mkdirSync(dir, { recursive: true });
  for (const [short, part, cells] of parts) {
    const random = new Random("fairface", seed, part);
    const lines = ["file,age,gender,race,service_test"];
    for (const [i, cell] of shuffledCells(cells, random).entries()) {
      const name = `${short}/${i + 1}.jpg`;
      images.push({ name, file: join(folder, name), part, cell });
      const race = random.choice(RACES[cell % 4]!);
      const gender = cell < 4 ? "Male" : "Female";
      lines.push([name, random.choice(AGES), gender, race, random.chance(0.5) ? "True" : "False"].join(","));
    }
    writeFileSync(join(dir, `fairface_label_${short}.csv`), `${lines.join("\n")}\n`);
  }
  await drawAll(images, options, ({ cell }, random) => {
    const shade = random.int(20) + 70;
    const fill = COLOURS[cell % 4]!;
    return figure({ isMan: cell < 4, fill, top: fill, back: `hsl(0,0%,${shade}%)` }, random);
  });
  return images;
}
