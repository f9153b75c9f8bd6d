// Which images there will be: one item per image, each with its file, prompt and seed.
import type { SampleRequest } from "./request.ts";

export interface PlannedImage {
  /** Position among all images: prompt by prompt. */
  readonly index: number;
  readonly promptIndex: number;
  readonly prompt: string;
  readonly seed: number;
  /** Name of the PNG in the output folder. */
  readonly file: string;
}

/** The part of a request that an image depends on, besides its prompt, its seed and the weights. */
export type ImageSettings = Pick<
  SampleRequest,
  | "steps"
  | "guidanceScale"
  | "guidanceRescale"
  | "negativePrompt"
  | "clipSkip"
  | "eta"
  | "dtype"
  | "vaeTiling"
> & {
  readonly scheduler: string;
  readonly timestepSpacing: string;
  readonly height: number;
  readonly width: number;
  /** Undefined without guidance. */
  readonly strength?: number | undefined;
};

/** A prompt as a name for files: lower case, words joined by "-", at most 60 characters. */
export const promptSlug = (prompt: string): string =>
  prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .slice(0, 60)
    .replace(/^-+|-+$/g, "");

/** All images of a request, `perPrompt` of each prompt in turn; image i has the seed `seed + i`. */
export function planImages({
  prompts,
  perPrompt,
  seed,
}: Pick<SampleRequest, "prompts" | "perPrompt" | "seed">): PlannedImage[] {
  const digits = Math.max(4, String(perPrompt - 1).length);
  return prompts.flatMap((prompt, promptIndex) =>
    Array.from({ length: perPrompt }, (_, i) => {
      const index = promptIndex * perPrompt + i;
      const name = [String(promptIndex), promptSlug(prompt), String(i).padStart(digits, "0")];
      return {
        ...{ index, promptIndex, prompt, seed: seed + index },
        file: `${name.filter((part) => part !== "").join("-")}.png`,
      };
    }),
  );
}
