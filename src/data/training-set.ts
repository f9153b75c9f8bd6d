// The training images as the method sees them: encoded pictures, and which captions each one has. Nothing else exists
// here, so no stage of the method can read an attribute of an image.
import type { Device, Tensor } from "../torch/index.ts";
import type { SetReading } from "./set-reading.ts";

/** Which images a batch shows, and how: everything random about the pictures is drawn beforehand. */
export interface BatchRequest {
  /** Rows of the set, [B]; a row may come twice. */
  readonly rows: Int32Array;
  /** Caption of each row: index into `captions`, [B]. */
  readonly captions: Int32Array;
  /** 1 where the picture is mirrored, [B]; absent: nowhere. */
  readonly flips?: Uint8Array | undefined;
  /** Where a crop lies between its extreme positions, 0 to 1: vertical, horizontal of each row, [2 B]; absent: centred. */
  readonly crops?: Float32Array | undefined;
}

/** A batch through the frozen encoders, on the set's device; whoever asked for it disposes of the tensors. */
export interface EncodedBatch {
  /** What the autoencoder's encoder gives: mean and log-variance along the channels, unscaled, [B, 2 C, h, w]. */
  readonly moments: Tensor;
  /** Text states [B, L, D]. */
  readonly encoderHiddenStates: Tensor;
}

/** Images with captions, behind the frozen encoders: from a cache, or encoded anew for each batch. */
export interface TrainingSet extends Disposable {
  /** One per image. */
  readonly ids: readonly string[];
  /** The distinct captions; the last one is the empty text of classifier-free guidance. */
  readonly captions: readonly string[];
  /** Indices into `captions` of each image's captions, at least one; the first is the one that groups are inferred with. */
  readonly captionsOf: readonly (readonly number[])[];
  /** [C, h, w] of one image. */
  readonly latentShape: readonly [number, number, number];
  /** Latents are the encoder's times this. */
  readonly scalingFactor: number;
  readonly device: Device;
  /** Errors: DataError naming a file that cannot be read. */
  load(request: BatchRequest): Promise<EncodedBatch>;
  /** The parts of `load`, for reading ahead; absent where it has none. */
  readonly reading?: SetReading | undefined;
}

/** The first caption of each image, [N]. */
export const firstCaptions = ({ captionsOf }: Pick<TrainingSet, "captionsOf">): Int32Array =>
  Int32Array.from(captionsOf, (own) => own[0]!);
