// What an output folder holds already: valid images of the same plan are kept, anything else is left alone or refused.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../torch/errors.ts";
import { visibleNames } from "../out-folder.ts";
import { changedLeaves } from "../stage-plan.ts";
import { sha256 } from "../hash.ts";
import { IMAGE_MANIFEST, type ImageRecord, type ImageSource, readRecords } from "./manifest.ts";
import type { PlannedImage } from "./plan.ts";

export interface Resumption {
  readonly records: Map<string, ImageRecord>;
  readonly kept: readonly PlannedImage[];
  readonly toMake: readonly PlannedImage[];
}

/** Errors: UserError when `out` is a file, or holds files that no sampling of ours made (`force` lets them be). */
export function checkSamplingOut(out: string, { force }: { force: boolean }): void {
  const kind = statSync(out, { throwIfNoEntry: false });
  if (!kind) return;
  if (!kind.isDirectory()) throw new UserError(`${out} is a file; expected a folder for the images.`);
  const { names, some } = visibleNames(out);
  if (names.length === 0 || names.includes(IMAGE_MANIFEST) || force) return;
  throw new UserError(
    `${out} exists and holds other files (${some}) but no ${IMAGE_MANIFEST}. ` +
      `Choose another --out, or write between them with --force.`,
  );
}

/**
 * Divides the planned images into those that are there, whole and made from the same source, and those to make.
 * Errors: UserError when a file in the way was made otherwise and `force` is not set.
 */
export function resumption(
  out: string,
  plan: readonly PlannedImage[],
  { sourceOf, force }: { sourceOf: (image: PlannedImage) => ImageSource; force: boolean },
): Resumption {
  const records = readRecords(out);
  const kept: PlannedImage[] = [];
  const toMake: PlannedImage[] = [];
  for (const image of plan) {
    const path = join(out, image.file);
    const record = records.get(image.file);
    if (!existsSync(path)) toMake.push(image);
    else {
      const changes = record ? changedSource(record, sourceOf(image)) : ["it is not in the manifest"];
      if (changes.length > 0 && !force) throw inTheWay(path, changes);
      if (changes.length === 0 && sha256(readFileSync(path)) === record?.sha256) kept.push(image);
      else toMake.push(image);
    }
  }
  return { records, kept, toMake };
}

function changedSource(record: ImageRecord, now: ImageSource): string[] {
  const { prompt, seed, settings, modelHash, guidanceHash } = record;
  const before: ImageSource = { prompt, seed, settings, modelHash, guidanceHash };
  return changedLeaves(before, now);
}

const inTheWay = (path: string, changes: readonly string[]): UserError =>
  new UserError(
    `${path} exists and was made otherwise (old -> new):\n  ${changes.join("\n  ")}\n` +
      `Choose another --out, or replace such images with --force.`,
  );
