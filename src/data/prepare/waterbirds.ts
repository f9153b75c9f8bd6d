/**
 * Waterbirds (Sagawa et al., https://arxiv.org/abs/1911.08731): birds of CUB-200 on places of Places365, metadata.csv and
 * a folder of pictures for each species. Its training birds are on their usual place in 95 % of the images.
 */
import { dirname, join, posix } from "node:path";
import { withArticle } from "./captions.ts";
import { eachCsvRow, type LabelRow } from "./label-file.ts";
import { SPLITS, type CaptionStyle, type Listing, type PublishedSet, type SourceImage } from "./listing.ts";
import { findFile, findImages, onlyOnce, safeName } from "./source-folder.ts";

const NAME = {
  title: "Waterbirds",
  url: "https://nlp.stanford.edu/data/dro/waterbird_complete95_forest2water2.tar.gz",
};
const COLUMNS = ["img_id", "img_filename", "y", "split", "place", "place_filename"] as const;

const SUBJECTS = ["landbird", "waterbird"] as const;
const PLACES = ["land", "water"] as const;

/** "black footed albatross" of "001.Black_footed_Albatross/x.jpg". */
export const speciesOf = (fileName: string): string =>
  posix
    .basename(posix.dirname(fileName))
    .replace(/^\d+\./, "")
    .replaceAll("_", " ")
    .trim()
    .toLowerCase();

/** The reference writes the species' name alone; two captions suit the evaluation's two prompts and the group inference. */
const captions: Readonly<Record<string, CaptionStyle>> = {
  type: {
    caption: ({ subject }) => `a photo of a ${subject}`,
    subjectColumn: "subject",
    hiddenColumn: "place",
  },
  species: {
    caption: ({ species }) => withArticle(String(species)),
    subjectColumn: "subject",
    hiddenColumn: "place",
  },
};

function read(source: string, { images }: { readonly images?: string | undefined }): Listing {
  const file = findFile(source, ["metadata.csv", "waterbird_complete95_forest2water2/metadata.csv"], NAME);
  const found: Omit<SourceImage, "file">[] = [];
  const once = onlyOnce();
  const expected = `the metadata.csv of Waterbirds (${NAME.url})`;
  eachCsvRow(file, { needed: COLUMNS, expected }, (row) => {
    const name = safeName(row.text("img_filename"), row.where);
    once(name, row.where);
    found.push(imageOf(row, name));
  });
  const folder = findImages(NAME, {
    root: dirname(file),
    places: [""],
    names: found.map(({ name }) => name),
    given: images,
  });
  return {
    groups: SUBJECTS.flatMap((subject) => PLACES.map((place) => `${subject} on ${place}`)),
    images: found.map((image) => ({ ...image, file: join(folder, image.name) })),
    labelFiles: [file],
    unused: {},
  };
}

function imageOf(row: LabelRow, name: string): Omit<SourceImage, "file"> {
  const y = row.number("y", [0, 1]);
  const place = row.number("place", [0, 1]);
  const raw = { img_id: row.text("img_id"), place_filename: row.text("place_filename") };
  return {
    ...{ name, where: row.where, fileName: name },
    split: SPLITS[row.number("split", [0, 1, 2])],
    group: 2 * y + place,
    // The published number of the place goes by another name, so that "place" reads as in the Birds.
    columns: () => ({
      subject: SUBJECTS[y],
      place: PLACES[place],
      species: speciesOf(name),
      img_id: raw.img_id,
      y,
      place_index: place,
      place_filename: raw.place_filename,
    }),
  };
}

export const waterbirds: PublishedSet = {
  ...NAME,
  name: "waterbirds",
  ratio: "as-is",
  captions: () => captions,
  read,
};
