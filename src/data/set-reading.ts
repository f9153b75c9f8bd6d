// How the `load` of a training set comes apart for those who read ahead: what another thread or the decoder's threads can do
// while a device works, and what is left for the device.
import type { Tensor } from "../torch/index.ts";
import type { BatchRequest } from "./training-set.ts";

/** Rows of one shape in files, float32 without gaps; plain data, so that another thread can read them. */
export interface RowTable {
  readonly rowShape: readonly number[];
  /** Each file, and the byte at which its rows begin. */
  readonly files: readonly { readonly path: string; readonly begin: number }[];
  /** A place is the number of a file times this, plus the row in it. */
  readonly placesPerFile: number;
}

interface TextStates {
  /** [L, D] of one caption. */
  readonly stateShape: readonly number[];
  /** Text states of captions [n], float32 [n, L, D] on the set's device; the caller's. */
  readonly states: (captions: Int32Array) => Tensor;
}

/** Everything lies in files. */
export interface RowReading extends TextStates {
  readonly kind: "rows";
  /** Of the autoencoder's moments [2 C, h, w], and of the text states. */
  readonly tables: { readonly moments: RowTable; readonly states: RowTable };
  /** Where a request's rows lie. Errors: InvDiffError for one that the set cannot meet. */
  readonly places: (request: BatchRequest) => { readonly moments: Int32Array; readonly states: Int32Array };
}

/** Pictures are decoded and encoded. */
export interface PictureReading extends TextStates {
  readonly kind: "pictures";
  /** uint8 [B, 3, H, W] on the CPU; the caller's. Errors: DataError naming a file; the signal's reason. */
  readonly decode: (request: BatchRequest, signal?: AbortSignal) => Promise<Tensor>;
  /** The autoencoder's moments of such pictures, wherever they are, on the set's device; the caller's. */
  readonly encode: (pictures: Tensor) => Tensor;
}

export type SetReading = RowReading | PictureReading;
