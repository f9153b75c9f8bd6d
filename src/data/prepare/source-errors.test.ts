// Every way in which a folder is not the official download has an error that says what was found and what was expected.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError } from "../../torch/errors.ts";
import { withArticle } from "./captions.ts";
import { publishedSets } from "./index.ts";
import { speciesOf } from "./waterbirds.ts";

const { waterbirds, celeba, fairface } = publishedSets;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "source-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, ...lines: string[]): void => {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), lines.join("\n"));
};

const metadata = "img_id,img_filename,y,split,place,place_filename";
const bird = "1,001.Black_footed_Albatross/a.jpg,1,0,1,/o/ocean/1.jpg";
const faces = "file,age,gender,race,service_test";
const face = "train/1.jpg,20-29,Male,East Asian,True";
const attributes = "Male Blond_Hair Black_Hair";

/** A readable, if tiny, CelebA folder with other lines instead of its own. */
function writeCeleba({
  attr = ["2", attributes, "1.jpg  1 -1  1", "2.jpg -1  1 -1"],
  part = ["1.jpg 0", "2.jpg 1"],
}: { attr?: string[]; part?: string[] } = {}): void {
  write("list_attr_celeba.txt", ...attr);
  write("list_eval_partition.txt", ...part);
  write("img_align_celeba/1.jpg");
}
function writeFaces(train: string[], val: string[] = [faces, "val/1.jpg,3-9,Female,Black,False"]): void {
  write("fairface_label_train.csv", ...train);
  write("fairface_label_val.csv", ...val);
  write("train/1.jpg");
}

describe("reading what is there", () => {
  it("takes byte order marks, carriage returns, quotes, spaces, blank lines and another order of columns", () => {
    write(
      "metadata.csv",
      `\uFEFFsplit,"img_filename",y,place,img_id,place_filename,extra\r`,
      `2, "067.Anna_Hummingbird/a, b.jpg" ,0,1,7,/o/x.jpg,?\r`,
      "\r",
      "",
    );
    write("067.Anna_Hummingbird/a, b.jpg");
    const { images } = waterbirds.read(folder, {});
    expect(images).toHaveLength(1);
    expect(images[0]).toMatchObject({
      name: "067.Anna_Hummingbird/a, b.jpg",
      split: "test",
      group: 1,
      file: join(folder, "067.Anna_Hummingbird", "a, b.jpg"),
    });
    expect(images[0]!.columns()).toEqual({
      ...{ subject: "landbird", place: "water", species: "anna hummingbird", img_id: "7", y: 0 },
      ...{ place_index: 1, place_filename: "/o/x.jpg" },
    });
  });

  it("takes any run of spaces in CelebA's text files", () => {
    writeCeleba({ attr: [" 2 ", `${attributes}  `, "1.jpg   1 -1\t 1 ", "", "2.jpg -1  1 -1"] });
    const { images, groups } = celeba.read(folder, {});
    expect(images.map(({ name, split, group }) => [name, split, groups[group]])).toEqual([
      ["1.jpg", "train", "man, not blond"],
      ["2.jpg", "validation", "woman, blond"],
    ]);
  });

  it("names species and their articles as the reference does", () => {
    expect(speciesOf("009.Brewer_Blackbird/x.jpg")).toBe("brewer blackbird");
    expect(speciesOf("a/067.Anna_Hummingbird/x.jpg")).toBe("anna hummingbird");
    expect(["anna hummingbird", "baird sparrow", "european goldfinch"].map(withArticle)).toEqual([
      "an anna hummingbird",
      "a baird sparrow",
      "a european goldfinch",
    ]);
  });
});

const wrong: [string, () => void, () => unknown, RegExp][] = [
  [
    "another folder",
    () => {
      write("photos/a.jpg");
      write("celeba.zip");
    },
    () => waterbirds.read(folder, {}),
    /is not the Waterbirds download: looked for metadata\.csv or waterbird_complete95_forest2water2\/metadata\.csv and found celeba\.zip, photos in source-.*celeba\.zip is packed: unpack it first\. .*https:\/\/nlp\.stanford/,
  ],
  [
    "an empty folder",
    () => undefined,
    () => fairface.read(folder, {}),
    /looked for fairface_label_train\.csv and found nothing in .*https:\/\/github\.com\/joojs\/fairface/,
  ],
  [
    "no folder",
    () => undefined,
    () => celeba.read(join(folder, "none"), {}),
    /There is no folder .*none\. Give the folder that the CelebA download unpacks to: https:\/\/mmlab/,
  ],
  [
    "a file for a folder",
    () => write("celeba.zip"),
    () => celeba.read(join(folder, "celeba.zip"), {}),
    /celeba\.zip is a file/,
  ],
  [
    "label files without pictures",
    () => {
      write("list_attr_celeba.txt", "1", attributes, "1.jpg 1 1 -1");
      write("list_eval_partition.txt", "1.jpg 0");
    },
    () => celeba.read(folder, {}),
    /None of the 1 listed CelebA images is there: looked for 1\.jpg, \.\.\. in img_align_celeba\/img_align_celeba\/, .* and found list_attr_celeba\.txt, list_eval_partition\.txt in/,
  ],
  [
    "a folder of images that is not there",
    () => write("metadata.csv", metadata, bird),
    () => waterbirds.read(folder, { images: join(folder, "pictures") }),
    /There is no folder .*pictures, which was given for the images/,
  ],
  [
    "missing columns",
    () => write("metadata.csv", "file_name,y,split,place,place_filename", "a,1,0,1,x"),
    () => waterbirds.read(folder, {}),
    /line 1 has no column "img_id", "img_filename"; its columns are file_name, y, split, place, place_filename\. Expected the metadata\.csv of Waterbirds/,
  ],
  [
    "a doubled column",
    () => write("metadata.csv", `${metadata},y`, `${bird},1`),
    () => waterbirds.read(folder, {}),
    /names the column "y" twice/,
  ],
  [
    "a line that is too short",
    () => write("metadata.csv", metadata, bird, "2,b.jpg,1"),
    () => waterbirds.read(folder, {}),
    /metadata\.csv, line 3 has 3 values; the header names 6 columns/,
  ],
  [
    "a label that is none",
    () => write("metadata.csv", metadata, bird.replace(",1,0,1,", ",waterbird,0,1,")),
    () => waterbirds.read(folder, {}),
    /line 2: "y" is "waterbird"; expected 0, 1/,
  ],
  [
    "an unknown split",
    () => write("metadata.csv", metadata, bird.replace(",1,0,1,", ",1,3,1,")),
    () => waterbirds.read(folder, {}),
    /line 2: "split" is "3"; expected 0, 1, 2/,
  ],
  [
    "an empty value",
    () => write("metadata.csv", metadata, bird.replace(",1,0,1,", ",,0,1,")),
    () => waterbirds.read(folder, {}),
    /line 2 has nothing under "y"/,
  ],
  [
    "no rows",
    () => write("metadata.csv", metadata),
    () => waterbirds.read(folder, {}),
    /metadata\.csv lists no images/,
  ],
  [
    "broken quotes",
    () => write("metadata.csv", metadata, '1,"a.jpg,1,0,1,x'),
    () => waterbirds.read(folder, {}),
    /is not valid CSV/,
  ],
  [
    "an image listed twice",
    () => write("metadata.csv", metadata, bird, bird),
    () => waterbirds.read(folder, {}),
    /line 3: "001\.Black_footed_Albatross\/a\.jpg" was listed before \(.*line 2\)/,
  ],
  [
    "a name that leads out of the folder",
    () => write("metadata.csv", metadata, bird.replace("001.Black_footed_Albatross", "../..")),
    () => waterbirds.read(folder, {}),
    /"\.\.\/\.\.\/a\.jpg" is no name of a file below/,
  ],
  [
    "an attribute that is neither 1 nor -1",
    () => writeCeleba({ attr: ["2", attributes, "1.jpg 1 0 1", "2.jpg -1 1 -1"] }),
    () => celeba.read(folder, {}),
    /list_attr_celeba\.txt, line 3: "Blond_Hair" is "0"; expected -1, 1/,
  ],
  [
    "CelebA without the count",
    () => writeCeleba({ attr: [attributes, "1.jpg 1 -1 1"] }),
    () => celeba.read(folder, {}),
    /begins with "Male Blond_Hair Black_Hair"; its first line should hold the number of images alone/,
  ],
  [
    "CelebA cut off",
    () => writeCeleba({ attr: ["3", attributes, "1.jpg 1 -1 1", "2.jpg -1 1 -1"] }),
    () => celeba.read(folder, {}),
    /says that it lists 3 images, but lists 2\. Is it cut off/,
  ],
  [
    "CelebA without an attribute",
    () => writeCeleba({ attr: ["1", "Male Smiling", "1.jpg 1 -1"] }),
    () => celeba.read(folder, {}),
    /line 2 has no column "Blond_Hair", "Black_Hair"/,
  ],
  [
    "an image without a partition",
    () => writeCeleba({ part: ["1.jpg 0"] }),
    () => celeba.read(folder, {}),
    /"2\.jpg" is not listed in .*list_eval_partition\.txt/,
  ],
  [
    "a partition of another kind",
    () => writeCeleba({ part: ["1.jpg train", "2.jpg 1"] }),
    () => celeba.read(folder, {}),
    /list_eval_partition\.txt, line 1: "partition" is "train"; expected 0, 1, 2/,
  ],
  [
    "a race of another list",
    () => writeFaces([faces, face.replace("East Asian", "Asian")]),
    () => fairface.read(folder, {}),
    /line 2: "race" is "Asian"; expected White, Latino_Hispanic, Middle Eastern/,
  ],
  [
    "a validation image among the training images",
    () => writeFaces([faces, face.replace("train/", "val/")]),
    () => fairface.read(folder, {}),
    /"val\/1\.jpg" is no file of train\//,
  ],
  [
    "a second label file that is missing",
    () => write("fairface_label_train.csv", faces, face),
    () => fairface.read(folder, {}),
    /looked for fairface_label_val\.csv and found fairface_label_train\.csv in/,
  ],
];

describe("refusing", () => {
  it.each(wrong)("%s", (_, prepare, read, message) => {
    prepare();
    expect(read).toThrow(DataError);
    expect(read).toThrow(message);
  });

  it("CelebA's CSV with a label that is none, naming the line", () => {
    writeCeleba();
    rmSync(join(folder, "list_attr_celeba.txt"));
    write(
      "list_attr_celeba.csv",
      `image_id,${attributes.replaceAll(" ", ",")}`,
      "1.jpg,1,-1,1",
      "2.jpg,2,1,-1",
    );
    expect(readFileSync(join(folder, "list_eval_partition.txt"), "utf8")).toContain("1.jpg 0");
    expect(() => celeba.read(folder, {})).toThrow(
      /list_attr_celeba\.csv, line 3: "Male" is "2"; expected -1, 1/,
    );
  });
});
