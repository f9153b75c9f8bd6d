/**
 * FairFace (Kärkkäinen and Joo, https://arxiv.org/abs/1908.04913): faces with age, gender and race, two label files.
 * The reference puts its seven races into four groups and trains on 3:2:1:1 of them for men, 1:1:2:3 for women.
 */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { DataError } from "../../torch/errors.ts";
import { eachCsvRow, type LabelRow } from "./label-file.ts";
import type { CaptionStyle, Listing, PublishedSet, SourceImage, Split } from "./listing.ts";
import { findFile, findImages, isFolder, onlyOnce, safeName } from "./source-folder.ts";

const NAME = { title: "FairFace", url: "https://github.com/joojs/fairface" };
const COLUMNS = ["file", "age", "gender", "race", "service_test"] as const;
const PARTS = [
  ["train", "train"],
  ["val", "validation"],
] as const;

const GENDERS = ["Male", "Female"] as const;
const RACE_GROUPS = ["White", "Asian", "Indian", "Black"] as const;
/** Race group of each race, as in the reference. */
const GROUP_OF = {
  White: 0,
  Latino_Hispanic: 0,
  "Middle Eastern": 0,
  "East Asian": 1,
  "Southeast Asian": 1,
  Indian: 2,
  Black: 3,
} as const;
const RACES = Object.keys(GROUP_OF) as (keyof typeof GROUP_OF)[];

/** Race is tied to gender here, so that the bias shows in what the caption says: the gender. */
const captions: Readonly<Record<string, CaptionStyle>> = {
  gender: {
    caption: ({ gender }) => `a photo of a ${gender === "Male" ? "man" : "woman"}`,
    subjectColumn: "gender",
    hiddenColumn: "race_group",
  },
  person: { caption: () => "a photo of a person", hiddenColumn: "race_group" },
};

function read(source: string, { images }: { readonly images?: string | undefined }): Listing {
  const files = PARTS.map(([part]) => findFile(source, [`fairface_label_${part}.csv`], NAME));
  const found = PARTS.flatMap(([part, split], i) => readPart(files[i]!, part, split));
  const root = dirname(files[0]!);
  // The pictures come in archives of their own, which may have been unpacked into a folder of their name.
  const nested = readdirSync(root).filter((name) => isFolder(join(root, name, "train")));
  const folder = findImages(NAME, {
    root,
    places: ["", ...nested.sort()],
    names: found.map(({ name }) => name),
    given: images,
  });
  return {
    groups: GENDERS.flatMap((gender) => RACE_GROUPS.map((race) => `${gender} ${race}`)),
    images: found.map((image) => ({ ...image, file: join(folder, image.name) })),
    labelFiles: files,
    unused: {},
  };
}

function readPart(file: string, part: string, split: Split): Omit<SourceImage, "file">[] {
  const found: Omit<SourceImage, "file">[] = [];
  const once = onlyOnce();
  const expected = `the ${`fairface_label_${part}.csv`} of FairFace (${NAME.url})`;
  eachCsvRow(file, { needed: COLUMNS, expected }, (row) => {
    const name = safeName(row.text("file"), row.where);
    once(name, row.where);
    found.push(imageOf(row, { name, fileName: nameInPart(name, part, row.where), split }));
  });
  return found;
}

/** Errors: DataError for a file of the other part, so that no image gets into two splits. */
function nameInPart(name: string, part: string, where: string): string {
  if (name.startsWith(`${part}/`)) return name.slice(part.length + 1);
  throw new DataError(`${where}: "${name}" is no file of ${part}/. Every file of this list is in ${part}/.`);
}

function imageOf(
  row: LabelRow,
  { name, fileName, split }: Pick<SourceImage, "name" | "fileName" | "split">,
): Omit<SourceImage, "file"> {
  const gender = row.word("gender", GENDERS);
  const race = row.word("race", RACES);
  const raceGroup = GROUP_OF[race];
  const raw = { age: row.text("age"), service_test: row.text("service_test") };
  return {
    ...{ name, where: row.where, fileName, split },
    group: GENDERS.indexOf(gender) * RACE_GROUPS.length + raceGroup,
    columns: () => ({
      ...{ gender, race_group: RACE_GROUPS[raceGroup], race },
      ...{ age: raw.age, service_test: raw.service_test, file: name },
    }),
  };
}

export const fairface: PublishedSet = {
  ...NAME,
  name: "fairface",
  ratio: "3:2:1:1:1:1:2:3",
  captions: () => captions,
  read,
};
