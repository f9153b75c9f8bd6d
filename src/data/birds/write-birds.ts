/** Writes the Birds data set as an ordinary image folder: train/ and validation/ with PNG files and metadata.jsonl. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { DataError } from "../../torch/index.ts";
import { Random } from "../random.ts";
import { writeWholeFolder } from "../whole-folder.ts";
import { caption, sceneContent, type Place, type Pose, type Subject } from "./scene.ts";

export interface WriteBirdsOptions {
  readonly seed?: number;
  /** Number of training images. */
  readonly train?: number;
  /** Number of validation images; every subject is half on water, half on land, and half of each in either pose. */
  readonly validation?: number;
  /** Share of the training images that show a bird on its usual place, 0 to 1. */
  readonly balance?: number;
  /**
   * Share of the training images that show a bird in its usual pose (a waterbird facing left, a landbird right), 0 to 1,
   * whatever the place: a second hidden attribute. Without it the pose is drawn at random and there is no column `pose`.
   */
  readonly poseBalance?: number | undefined;
  /** Width and height in pixels. */
  readonly size?: number;
  /** Replaces an existing Birds folder. */
  readonly force?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** One line of metadata.jsonl. */
export interface BirdRow {
  readonly file_name: string;
  readonly text: string;
  readonly subject: Subject;
  readonly place: Place;
  /** Only with `poseBalance`. */
  readonly pose?: Pose;
}

type Split = "train" | "validation";
const SHEET = 8; // Scenes per side of a sheet: one rasteriser start for 64 scenes.

/**
 * Draws the data set into `outDir`, which appears only when it is complete.
 * Picture i depends on seed, split, i and its subject and place only; the counts are exact.
 * Errors: DataError when outDir exists (without `force`) or an option is out of range; the signal's reason when aborted.
 */
export async function writeBirds(outDir: string, options: WriteBirdsOptions = {}): Promise<void> {
  const { seed = 0, train = 4000, validation = 800, balance = 0.9, size = 64, force = false } = options;
  const { poseBalance, onProgress, signal } = options;
  checkOptions({ train, validation, size, seed }, { balance, poseBalance: poseBalance ?? 1 });
  const target = resolve(outDir);
  const whole = {
    ...{ check: () => checkTarget(target, force), signal },
    failure: `Birds cannot be written to ${target}`,
  };
  await writeWholeFolder(target, whole, async (folder) => {
    let done = 0;
    for (const [split, count, share] of [
      ["train", train, balance],
      ["validation", validation, 0.5],
    ] as const) {
      const poseShare = poseBalance === undefined ? undefined : split === "train" ? poseBalance : 0.5;
      const rows = birdRows(split, count, share, seed, poseShare);
      await mkdir(join(folder, split), { recursive: true });
      const first = done;
      const starts = Array.from({ length: Math.ceil(count / SHEET ** 2) }, (_, i) => i * SHEET ** 2);
      const work = async (): Promise<void> => {
        for (let start = starts.shift(); start !== undefined; start = starts.shift()) {
          signal?.throwIfAborted();
          const written = await writeSheet(join(folder, split), rows, { start, split, seed, size });
          done += written;
          onProgress?.(done, train + validation);
        }
      };
      // Wait for both even if one fails, so that nothing writes while the folder is removed.
      const ends = await Promise.allSettled([work(), work()]);
      for (const end of ends) if (end.status === "rejected") throw end.reason;
      if (done - first !== count) throw new Error(`wrote ${done - first} of ${count} ${split} pictures`);
      await writeFile(
        join(folder, split, "metadata.jsonl"),
        rows.map((row) => `${JSON.stringify(row)}\n`).join(""),
      );
    }
    const parameters = { format: "birds", version: 1, seed, train, validation, balance, poseBalance, size };
    await writeFile(join(folder, "birds.json"), `${JSON.stringify(parameters, null, 2)}\n`);
  });
}

const usually: Record<Subject, { place: Place; rarePlace: Place; pose: Pose; rarePose: Pose }> = {
  waterbird: { place: "water", rarePlace: "land", pose: "left", rarePose: "right" },
  landbird: { place: "land", rarePlace: "water", pose: "right", rarePose: "left" },
};

/** The rows of a split in shuffled order, with exact counts of every subject, place and (if asked for) pose. */
export function birdRows(
  split: Split,
  count: number,
  balance: number,
  seed: number,
  poseBalance?: number,
): BirdRow[] {
  const list: Pick<BirdRow, "subject" | "place" | "pose">[] = [];
  const waterbirds = Math.round(count / 2);
  for (const [subject, total] of [
    ["waterbird", waterbirds],
    ["landbird", count - waterbirds],
  ] as const) {
    const { place, rarePlace, pose, rarePose } = usually[subject];
    const ordinary = Math.round(total * balance);
    for (const [where, birds] of [
      [place, ordinary],
      [rarePlace, total - ordinary],
    ] as const)
      for (let i = 0; i < birds; i++)
        list.push({
          subject,
          place: where,
          ...(poseBalance !== undefined && {
            pose: i < Math.round(birds * poseBalance) ? pose : rarePose,
          }),
        });
  }
  const digits = Math.max(5, String(count).length);
  return new Random("birds", seed, split, "order").shuffle(list).map((kind, i) => ({
    file_name: `${String(i).padStart(digits, "0")}.png`,
    text: caption(kind.subject),
    ...kind,
  }));
}

async function writeSheet(
  folder: string,
  rows: readonly BirdRow[],
  { start, split, seed, size }: { start: number; split: Split; seed: number; size: number },
): Promise<number> {
  const part = rows.slice(start, start + SHEET ** 2);
  const columns = Math.min(SHEET, part.length);
  const width = columns * size;
  const height = Math.ceil(part.length / columns) * size;
  const scenes = part.map(({ subject, place, pose }, i) => {
    const content = sceneContent(
      { subject, place, pose, random: new Random("birds", seed, split, start + i) },
      `b${i}-`,
    );
    const [x, y] = [(i % columns) * size, Math.floor(i / columns) * size];
    return `<svg x="${x}" y="${y}" width="${size}" height="${size}" viewBox="0 0 64 64">${content}</svg>`;
  });
  const sheet = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${scenes.join("")}</svg>`;
  const pixels = await sharp(Buffer.from(sheet), { limitInputPixels: false }).removeAlpha().raw().toBuffer();
  await Promise.all(
    part.map(async (row, i) => {
      const image = Buffer.allocUnsafe(size * size * 3);
      const [x, y] = [(i % columns) * size, Math.floor(i / columns) * size];
      for (let line = 0; line < size; line++) {
        const from = ((y + line) * width + x) * 3;
        pixels.copy(image, line * size * 3, from, from + size * 3);
      }
      const png = await sharp(image, { raw: { width: size, height: size, channels: 3 } })
        .png({ compressionLevel: 3 })
        .toBuffer();
      await writeFile(join(folder, row.file_name), png);
    }),
  );
  return part.length;
}

/** Replacing deletes, so only a folder that is Birds already (or empty) is ever replaced. */
function checkTarget(target: string, force: boolean): void {
  if (!existsSync(target)) return;
  if (!force)
    throw new DataError(
      `${target} exists already. Birds are written into a new folder: choose another name, or force to replace it.`,
    );
  const isFolder = statSync(target).isDirectory();
  if (!isFolder || (!existsSync(join(target, "birds.json")) && readdirSync(target).length > 0))
    throw new DataError(
      `${target} is not a Birds folder (it has no birds.json), so it is not replaced. Choose another name.`,
    );
}

function checkOptions(integers: Record<string, number>, shares: Record<string, number>): void {
  for (const [name, value] of Object.entries(shares))
    if (!(value >= 0 && value <= 1))
      throw new DataError(
        `${name} is ${value}; give the share of birds on their usual place or in their usual pose as a number from 0 to 1.`,
      );
  for (const [name, value] of Object.entries(integers)) {
    const least = name === "size" ? 8 : 0;
    if (!Number.isSafeInteger(value) || value < least)
      throw new DataError(`${name} is ${value}; give a whole number of at least ${least}.`);
  }
}
