/** What a published data set lists: its images with split, group and columns, before anything is chosen or copied. */

export const SPLITS = ["train", "validation", "test"] as const;
export type Split = (typeof SPLITS)[number];

/** The further columns of one image by name. */
export type Columns = Readonly<Record<string, string | number>>;

/** One image of a published data set. */
export interface SourceImage {
  /** Its name in the label file; unique in the data set. */
  readonly name: string;
  /** Absolute path of the picture. */
  readonly file: string;
  /** "FILE, line N", for error messages. */
  readonly where: string;
  readonly split: Split;
  /** Its name in the folder of its split. */
  readonly fileName: string;
  /** Index into the groups of the listing. */
  readonly group: number;
  /** Made when asked for: of most images nobody needs them. */
  readonly columns: () => Columns;
}

/** A published data set as its label files describe it. */
export interface Listing {
  /** Names of the groups, in the order of a ratio. */
  readonly groups: readonly string[];
  /** In the order of the label files. */
  readonly images: readonly SourceImage[];
  /** Absolute paths of the files that were read. */
  readonly labelFiles: readonly string[];
  /** Images that belong to no group, by reason. */
  readonly unused: Readonly<Record<string, number>>;
}

/** How captions are made of an image's columns, and which columns an evaluation then looks at. */
export interface CaptionStyle {
  readonly caption: (columns: Columns) => string;
  /** Column that the caption names, absent when it names none. */
  readonly subjectColumn?: string;
  /** Column that the caption does not name and the groups differ in. */
  readonly hiddenColumn: string;
}

export interface ReadOptions {
  /** Folder of the images where it is not the usual one. */
  readonly images?: string | undefined;
  /** CelebA: who stands against the blond, everyone else or black hair only. */
  readonly against?: "other" | "black" | undefined;
}

/** One of the published data sets: how its download is read and what it is prepared as without further options. */
export interface PublishedSet {
  /** As in the command, such as "waterbirds". */
  readonly name: string;
  /** As people write it. */
  readonly title: string;
  /** Where the official download is. */
  readonly url: string;
  /** Ratio of the groups of the training split, "as-is" for all images. */
  readonly ratio: string;
  /** The first style is the one without options. */
  captions(options: ReadOptions): Readonly<Record<string, CaptionStyle>>;
  /** Errors: DataError for everything that is missing or not in the official format. */
  read(source: string, options: ReadOptions): Listing;
}
