// The frozen halves of a model: pictures to the autoencoder's moments, captions to text states. Opened when first needed,
// so that a complete cache costs no model in memory.
import { join } from "node:path";

import { modelFolder, readJsonObject } from "../../checkpoint/index.ts";
import { toModelRange } from "../../data/index.ts";
import {
  type AutoencoderKL,
  clipTextConfig,
  type ClipTextModel,
  loadTextEncoder,
  loadVae,
  vaeConfig,
} from "../../models/index.ts";
import { ClipTokenizer } from "../../tokenizers/index.ts";
import { cat, type Device, keep, noGrad, scope, type Tensor, tensor, upload } from "../../torch/index.ts";
import { hashFolder, hashJson } from "../hash.ts";
import { inEqualPieces, picturesPerPiece, textsPerPiece } from "./equal-pieces.ts";

/** What encoded pictures and texts depend on besides themselves: fingerprints that name the folders of the cache. */
export interface EncoderKeys {
  readonly moments: string;
  readonly text: string;
}

export interface EncoderOptions {
  /** Model folder in the diffusers layout. */
  readonly folder: string;
  readonly resolution: number;
  readonly device: Device;
}

export interface Encoders extends Disposable {
  readonly device: Device;
  /** [C, h, w]. */
  readonly latentShape: readonly [number, number, number];
  /** [L, D]. */
  readonly stateShape: readonly [number, number];
  readonly scalingFactor: number;
  /** Pictures that fill the machine at once. */
  readonly picturesPerPiece: number;
  readonly textsPerPiece: number;
  /** uint8 pictures [B, 3, resolution, resolution] -> mean and log-variance, float32 [B, 2 C, h, w] on the device; the caller's. */
  moments(pictures: Tensor): Tensor;
  /** Text states, float32 [B, L, D] on the device; the caller's. */
  states(texts: readonly string[]): Tensor;
  /** Frees the weights; they are read again when they are needed. */
  release(): void;
}

/** Weights are float32 whatever the file holds: the autoencoder overflows in half precision. */
const DTYPE = "float32";

/** Reads the configurations; weights come later. Errors: CheckpointError, ConfigError. */
export function openEncoders({ folder, resolution, device }: EncoderOptions): Encoders {
  const folders = modelFolder(folder, ["vae", "text_encoder", "tokenizer"]);
  const config = vaeConfig(readJsonObject(join(folders.vae, "config.json")));
  const { hidden_size: width } = clipTextConfig(readJsonObject(join(folders.text_encoder, "config.json")));
  const tokenizer = ClipTokenizer.load(folders.tokenizer);
  const side = Math.floor(resolution / 2 ** (config.block_out_channels.length - 1));
  const pieces = { pictures: picturesPerPiece(resolution, device), texts: textsPerPiece(device) };
  let vae: AutoencoderKL | undefined;
  let encoder: ClipTextModel | undefined;
  const release = (): void => {
    vae?.[Symbol.dispose]();
    encoder?.[Symbol.dispose]();
    vae = encoder = undefined;
  };
  return {
    device,
    latentShape: [config.latent_channels, side, side],
    stateShape: [tokenizer.modelMaxLength, width],
    scalingFactor: config.scaling_factor,
    picturesPerPiece: pieces.pictures,
    textsPerPiece: pieces.texts,
    moments(pictures) {
      const model = (vae ??= loadVae(folders.vae, { dtype: DTYPE, device }));
      return frozen(() =>
        inEqualPieces(pictures, pieces.pictures, (piece) => {
          const { mean, logvar } = model.encode(toModelRange(upload(piece, device)));
          return cat([mean, logvar], 1);
        }),
      );
    },
    states(texts) {
      const model = (encoder ??= loadTextEncoder(folders.text_encoder, { dtype: DTYPE, device }));
      const { inputIds, shape } = tokenizer.encode(texts);
      return frozen(() =>
        inEqualPieces(tensor(inputIds, { shape, device }), pieces.texts, (piece) => model.forward(piece)),
      );
    },
    release,
    [Symbol.dispose]: release,
  };
}

/**
 * Constants for autograd: made without a graph, but not in inference mode, whose tensors no backward pass may keep.
 * Contiguous, as rows of the cache are: the kernels that they meet next depend on it.
 */
const frozen = (compute: () => Tensor): Tensor => keep(noGrad(() => scope(() => compute().contiguous())));

/** Raised when the same picture or text would be encoded otherwise. */
const FORMAT = 1;

/** The fingerprints: of the model's files, and of how pictures are brought to their size. */
export async function encoderKeys({
  folder,
  resolution,
}: Pick<EncoderOptions, "folder" | "resolution">): Promise<EncoderKeys> {
  const folders = modelFolder(folder, ["vae", "text_encoder", "tokenizer"]);
  const [vae, textEncoder, tokenizer] = await Promise.all(
    [folders.vae, folders.text_encoder, folders.tokenizer].map((path) => hashFolder(path)),
  );
  return {
    moments: hashJson({ format: FORMAT, vae, resolution, crop: "centre", dtype: DTYPE }),
    text: hashJson({ format: FORMAT, textEncoder, tokenizer, dtype: DTYPE }),
  };
}
