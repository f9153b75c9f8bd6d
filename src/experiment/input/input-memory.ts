// What reading ahead takes of a device's memory, told before a training.
import type { DrawOptions, TrainingSet } from "../../data/index.ts";
import { isHost } from "../../torch/index.ts";
import { AHEAD } from "./ahead.ts";
import { residentStateBytes } from "./part-source.ts";

export interface InputMemoryOptions {
  /** Images of a part. */
  readonly batchSize: number;
  readonly draw: DrawOptions;
  readonly ahead?: number | undefined;
  readonly residentBytes?: number | undefined;
}

/** Bytes of the device for an input of a cached set; 0 on the CPU. Pictures of a set without a cache are not counted. */
export function inputBytes(
  set: Pick<TrainingSet, "captions" | "device" | "reading" | "latentShape">,
  { batchSize, draw, ahead = AHEAD, residentBytes }: InputMemoryOptions,
): number {
  const { reading, latentShape, device } = set;
  if (isHost(device) || !reading || ahead === 0) return 0;
  const size = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
  const resident = residentStateBytes(set, residentBytes);
  const { posterior, inputPerturbation = 0 } = draw;
  // Mean and log-variance, the noise, and what else is drawn for each latent.
  const latents = 3 + (posterior === "mean" ? 0 : 1) + (inputPerturbation > 0 ? 1 : 0);
  // A timestep is 8 bytes; a caption is 8 more, or all of its states.
  const text = resident === undefined ? 4 * size(reading.stateShape) : 8;
  return (resident ?? 0) + (ahead + 1) * batchSize * (4 * latents * size(latentShape) + 8 + text);
}
