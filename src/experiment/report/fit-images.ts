// Keeps a report small enough to be mailed: pictures are made smaller only if all of them together would be too large.
import { imageKind } from "./html.ts";
import type { ImageGrid, ReportData, ReportImage } from "./report-data.ts";

/** Longest side in pixels and WebP quality, from the best to the smallest. */
const STEPS = [
  [384, 84],
  [256, 80],
  [192, 76],
  [128, 72],
  [96, 64],
  [64, 50],
  [32, 40],
] as const;

/** Report data whose images together have at most `budget` bytes as data URIs, and are of a kind that browsers show. */
export async function fitImages(data: ReportData, budget = 14_000_000): Promise<ReportData> {
  const images = new Set<ReportImage>();
  mapImages(data, (image) => (images.add(image), image));
  // Base64 makes four characters of three bytes.
  const allowed = (budget * 3) / 4;
  const isShown = [...images].every(({ bytes }) => imageKind(bytes));
  if (isShown && sizeOf(images) <= allowed) return data;
  for (const [side, quality] of STEPS) {
    const isSmallest = side === STEPS.at(-1)![0];
    // A rough guess of what is surely too large saves the work of trying it.
    if (!isSmallest && images.size * side * side * 0.03 > allowed) continue;
    const pairs = [...images].map(async (image) => [image, await shrink(image, side, quality)] as const);
    const smaller = new Map(await Promise.all(pairs));
    if (isSmallest || sizeOf(smaller.values()) <= allowed)
      return mapImages(data, (image) => smaller.get(image)!);
  }
  return data;
}

const sizeOf = (images: Iterable<ReportImage>): number =>
  [...images].reduce((sum, { bytes }) => sum + bytes.byteLength, 0);

/** The image as WebP of at most `side` pixels, or as it is where that is no gain; a grey square for what cannot be read. */
async function shrink(image: ReportImage, side: number, quality: number): Promise<ReportImage> {
  const { default: sharp } = await import("sharp");
  try {
    const bytes = await sharp(image.bytes)
      .rotate()
      .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
      .webp({ quality, effort: 3 })
      .toBuffer();
    return imageKind(image.bytes) && image.bytes.byteLength <= bytes.byteLength ? image : { ...image, bytes };
  } catch {
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: "#888" } })
      .png()
      .toBuffer();
    return { ...image, bytes, tag: "(not readable)" };
  }
}

/** Report data with every image replaced. */
function mapImages(data: ReportData, replace: (image: ReportImage) => ReportImage): ReportData {
  const withImages = <T extends { readonly images: readonly ReportImage[] }>(entries: readonly T[]) =>
    entries.map((entry) => ({ ...entry, images: entry.images.map(replace) }));
  const withGrids = <T extends { readonly grids: readonly ImageGrid[] }>(entries: readonly T[]) =>
    entries.map((entry) => ({ ...entry, grids: withImages(entry.grids) }));
  const { groups, extremes } = data;
  return {
    ...data,
    samples: withGrids(data.samples),
    ...(extremes && { extremes: withGrids(extremes) }),
    ...(groups && {
      groups: {
        ...groups,
        ...(groups.overall && { overall: withImages(groups.overall) }),
        captions: groups.captions.map((caption) => ({ ...caption, groups: withImages(caption.groups) })),
      },
    }),
  };
}
