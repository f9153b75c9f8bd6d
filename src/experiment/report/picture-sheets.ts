// The pictures of the Markdown report: one sheet per grid of the HTML report, to lie in a folder beside it.
import { escapeMarkdown } from "./markdown-text.ts";
import type { ReportData, ReportImage } from "./report-data.ts";

/** A sheet of pictures. */
export interface PictureSheet {
  /** File name, such as "samples-1-2.webp". */
  readonly name: string;
  readonly images: readonly ReportImage[];
}

const TILE = 112;
const GAP = 4;
const COLUMNS = 4;

/** File name of the samples of a prompt by one of its grids; both count from 0. */
export const samplesSheet = (prompt: number, grid: number): string =>
  `samples-${prompt + 1}-${grid + 1}.webp`;

/** File name of the typical images of a group; caption -1 stands for all captions together. */
export const groupSheet = (caption: number, group: number): string =>
  `groups-${caption < 0 ? "all" : caption + 1}-${group + 1}.webp`;

/** Every sheet that the Markdown report refers to. */
export function pictureSheets({ samples, groups }: ReportData): PictureSheet[] {
  const sheets = [
    ...samples.flatMap(({ grids }, p) =>
      grids.map(({ images }, g) => ({ name: samplesSheet(p, g), images })),
    ),
    ...(groups?.overall ?? []).map(({ images }, g) => ({ name: groupSheet(-1, g), images })),
    ...(groups?.captions ?? []).flatMap((caption, c) =>
      caption.groups.map(({ images }, g) => ({ name: groupSheet(c, g), images })),
    ),
  ];
  return sheets.filter(({ images }) => images.length > 0);
}

/** Draws the sheets as WebP files by name. A picture that cannot be read leaves its place empty. */
export async function drawPictureSheets(data: ReportData): Promise<Map<string, Uint8Array>> {
  const { default: sharp } = await import("sharp");
  const drawn = new Map<string, Uint8Array>();
  for (const { name, images } of pictureSheets(data)) {
    const columns = Math.min(COLUMNS, images.length);
    const rows = Math.ceil(images.length / columns);
    const tiles = await Promise.all(
      images.map(async ({ bytes }, i) => {
        const left = (i % columns) * (TILE + GAP);
        const top = Math.floor(i / columns) * (TILE + GAP);
        try {
          const input = await sharp(bytes).rotate().resize(TILE, TILE, { fit: "cover" }).png().toBuffer();
          return [{ input, left, top }];
        } catch {
          return [];
        }
      }),
    );
    const sheet = sharp({
      create: {
        width: columns * (TILE + GAP) - GAP,
        height: rows * (TILE + GAP) - GAP,
        channels: 4,
        background: "#0000",
      },
    });
    drawn.set(name, await sheet.composite(tiles.flat()).webp({ quality: 82 }).toBuffer());
  }
  return drawn;
}

/** A sheet as Markdown picture, by its path relative to the Markdown file. */
export function sheetLink(folder: string, name: string, alt: string): string {
  const path = [...folder.split("/"), name].map(encodeURIComponent).join("/");
  return `![${escapeMarkdown(alt)}](${path})`;
}
