// Finished samples of any model, as a folder holds them: `invdiff sample`'s, a samples stage's, or the reference's layout, a
// folder per prompt that bears the prompt's words.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { DataError } from "../../torch/errors.ts";
import { IMAGE_MANIFEST, readRecords } from "../sampling/manifest.ts";
import { readJsonIfThere } from "../stages/materials.ts";
import { sampleFile, type SamplesSummary } from "../stages/samples.ts";

export interface SampledImage {
  readonly file: string;
  readonly prompt: string;
  /** Equal for the images of two models that were made from one seed for one prompt. */
  readonly pair: string;
}

const PICTURE = /\.(png|jpe?g|webp)$/i;

/** The images of a folder, by prompt and pair. Errors: DataError for a folder that holds none, or is none. */
export function sampledImages(dir: string): SampledImage[] {
  if (!isFolder(dir))
    throw new DataError(
      `There is no folder ${dir}. Give a folder of generated images: of \`invdiff sample\`, of a run's samples, or with a folder per prompt.`,
    );
  const images = existsSync(join(dir, IMAGE_MANIFEST))
    ? fromManifest(dir)
    : existsSync(join(dir, "samples.json"))
      ? fromStage(dir)
      : fromPromptFolders(dir);
  const lost = images.find(({ file }) => !existsSync(file));
  if (lost) throw new DataError(`${dir} lists ${lost.file}, which is not there. Sample it again.`);
  if (images.length === 0)
    throw new DataError(
      `${dir} holds no generated images. Expected ${IMAGE_MANIFEST} of \`invdiff sample\`, samples.json of a run's samples, or a folder per prompt with PNG or JPEG files.`,
    );
  return images.sort((a, b) => order(a.prompt, b.prompt) || order(a.pair, b.pair));
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

const order = (a: string, b: string): number =>
  a === b ? 0 : a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : 1);

const fromManifest = (dir: string): SampledImage[] =>
  [...readRecords(dir).values()].map(({ file, prompt, seed }) => ({
    ...{ file: join(dir, file), prompt },
    pair: String(seed),
  }));

function fromStage(dir: string): SampledImage[] {
  const path = join(dir, "samples.json");
  const { prompts, perPrompt, firstSeed } = readJsonIfThere<Partial<SamplesSummary>>(path)!;
  if (prompts === undefined || perPrompt === undefined || firstSeed === undefined)
    throw new DataError(`${path} is no list of a run's samples. Sample them again, or give another folder.`);
  return prompts.flatMap((prompt, p) =>
    Array.from({ length: perPrompt }, (_, i) => ({
      file: sampleFile(dir, { prompts, perPrompt }, p * perPrompt + i),
      prompt,
      pair: String(firstSeed + p * perPrompt + i),
    })),
  );
}

const fromPromptFolders = (dir: string): SampledImage[] =>
  readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || (entry.isSymbolicLink() && isFolder(join(dir, entry.name))))
    .flatMap(({ name }) =>
      readdirSync(join(dir, name))
        .filter((file) => PICTURE.test(file))
        .map((file) => ({ file: join(dir, name, file), prompt: name, pair: file })),
    );
