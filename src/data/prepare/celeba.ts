/**
 * CelebA (Liu et al., https://arxiv.org/abs/1411.7766): faces with 40 attributes and a partition, as the project page's text
 * files or as the CSV files of copies. Groups are Blond_Hair x Male, in the order of the reference's code.
 */
import { dirname, join } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { columnIndex, eachCsvRow, labelRow, readLabels, type LabelRow } from "./label-file.ts";
import type {
  CaptionStyle,
  Columns,
  Listing,
  PublishedSet,
  ReadOptions,
  SourceImage,
  Split,
} from "./listing.ts";
import { SPLITS } from "./listing.ts";
import { findFile, findImages, onlyOnce, safeName } from "./source-folder.ts";

const NAME = { title: "CelebA", url: "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html" };
/** Folders of the project page's archives, and of a copy made by others. */
const PLACES = ["", "Anno/", "Eval/", "celeba/"];
const IMAGES = ["img_align_celeba/img_align_celeba", "img_align_celeba", "Img/img_align_celeba"];

type Against = NonNullable<ReadOptions["against"]>;

/** What hair without blond is called in group names, in the column "hair" and in captions. */
const DARK: Readonly<Record<Against, { name: string; value: string; caption: string }>> = {
  other: { name: "not blond", value: "other", caption: "a photo of a person whose hair is not blond" },
  black: { name: "black hair", value: "black", caption: "a photo of a person with black hair" },
};

const captions = ({ against = "other" }: ReadOptions): Readonly<Record<string, CaptionStyle>> => ({
  hair: {
    caption: ({ hair }) => (hair === "blond" ? "a photo of a person with blond hair" : DARK[against].caption),
    subjectColumn: "hair",
    hiddenColumn: "gender",
  },
  gender: {
    caption: ({ gender }) => `a photo of a ${gender}`,
    subjectColumn: "gender",
    hiddenColumn: "hair",
  },
});

const names = (base: string): string[] =>
  [".txt", ".csv"].flatMap((ending) => PLACES.map((place) => `${place}${base}${ending}`));

function read(source: string, { images, against = "other" }: ReadOptions): Listing {
  const attributeFile = findFile(source, names("list_attr_celeba"), NAME);
  const partitionFile = findFile(source, names("list_eval_partition"), NAME);
  const split = readPartition(partitionFile);
  const found: Omit<SourceImage, "file">[] = [];
  let unclear = 0;
  const once = onlyOnce();
  eachAttributeRow(attributeFile, (row, attributes) => {
    const name = safeName(row.text("image_id"), row.where);
    once(name, row.where);
    const values = Int8Array.from(attributes, (attribute) => row.number(attribute, [-1, 1]));
    const value = (attribute: string): boolean => values[attributes.indexOf(attribute)] === 1;
    const own = split.get(name);
    if (own === undefined) throw new DataError(`${row.where}: "${name}" is not listed in ${partitionFile}.`);
    const isBlond = value("Blond_Hair");
    if (against === "black" && isBlond === value("Black_Hair")) {
      unclear++;
      return;
    }
    const isMale = value("Male");
    const columns = (): Columns => ({
      gender: isMale ? "man" : "woman",
      hair: isBlond ? "blond" : DARK[against].value,
      ...Object.fromEntries(attributes.map((attribute, i) => [attribute, values[i]!])),
    });
    const group = (isBlond ? 0 : 2) + (isMale ? 0 : 1);
    found.push({ name, where: row.where, fileName: name, split: own, group, columns });
  });
  // The label files may lie beside the images, or in a folder of their own beside that of the images.
  const folder = findImages(NAME, {
    root: dirname(attributeFile),
    places: ["", "../"].flatMap((up) => IMAGES.map((place) => `${up}${place}`)),
    names: found.map(({ name }) => name),
    given: images,
  });
  return {
    groups: ["blond", DARK[against].name].flatMap((hair) => [`man, ${hair}`, `woman, ${hair}`]),
    images: found.map((image) => ({ ...image, file: join(folder, image.name) })),
    labelFiles: [attributeFile, partitionFile],
    unused: against === "black" ? { "neither blond nor black hair, or both": unclear } : {},
  };
}

/** Rows of the attributes, with their names in the order of the file. */
function eachAttributeRow(file: string, onRow: (row: LabelRow, attributes: readonly string[]) => void): void {
  const needed = ["image_id", "Male", "Blond_Hair", "Black_Hair"];
  const expected = `the list_attr_celeba of CelebA (${NAME.url})`;
  if (file.endsWith(".csv")) {
    let attributes: string[] | undefined;
    eachCsvRow(file, { needed, expected }, (row) => {
      attributes ??= row.columns.filter((name) => name !== "image_id");
      onRow(row, attributes);
    });
    return;
  }
  let count: number | undefined;
  let header: { readonly attributes: string[]; readonly columns: Map<string, number> } | undefined;
  let rows = 0;
  for (const { words, where } of wordLines(file)) {
    if (count === undefined) count = countLine(words, file, expected);
    else if (header === undefined) {
      const columns = columnIndex(["image_id", ...words], where, { needed, expected });
      header = { attributes: words, columns };
    } else {
      rows++;
      onRow(labelRow(words, header.columns, where), header.attributes);
    }
  }
  if (count === rows && rows > 0) return;
  throw new DataError(
    `${file} says that it lists ${count ?? 0} images, but lists ${rows}. Is it cut off? Expected ${expected}.`,
  );
}

function countLine(words: readonly string[], file: string, expected: string): number {
  if (words.length === 1 && /^\d+$/.test(words[0]!)) return Number(words[0]);
  throw new DataError(
    `${file} begins with "${words.slice(0, 3).join(" ")}"; its first line should hold the number of images alone. ` +
      `Expected ${expected}.`,
  );
}

function readPartition(file: string): Map<string, Split> {
  const split = new Map<string, Split>();
  const expected = `the list_eval_partition of CelebA (${NAME.url})`;
  const needed = ["image_id", "partition"];
  const once = onlyOnce();
  const add = (row: LabelRow): void => {
    const name = safeName(row.text("image_id"), row.where);
    once(name, row.where);
    split.set(name, SPLITS[row.number("partition", [0, 1, 2])]);
  };
  if (file.endsWith(".csv")) eachCsvRow(file, { needed, expected }, add);
  else {
    const columns = columnIndex(needed, file, { needed, expected });
    for (const { words, where } of wordLines(file)) add(labelRow(words, columns, where));
  }
  return split;
}

/** The lines of a text file that are not blank, as words; one at a time, for there are 8 million words. */
function* wordLines(file: string): Generator<{ words: string[]; where: string }> {
  let line = 0;
  for (const text of readLabels(file).split(/\r\n|\n|\r/)) {
    line++;
    const words = text.trim().split(/\s+/);
    if (words[0] !== "") yield { words, where: `${file}, line ${line}` };
  }
}

export const celeba: PublishedSet = { ...NAME, name: "celeba", ratio: "1:2:2:1", captions, read };
