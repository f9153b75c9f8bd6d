/** What turns pictures into rows of numbers that metrics compare, whichever network does it. */
import { createHash } from "node:crypto";
import { cat, keep, noGrad, scope, ShapeError, upload, zeros } from "../../torch/index.ts";
import type { Device, Tensor } from "../../torch/index.ts";

export type FeatureKind = "inception" | "vgg16" | "clip-image" | "classifier" | "autoencoder" | "pixels";

export interface FeatureNetwork extends Disposable {
  readonly kind: FeatureKind;
  /** For people, such as "Inception-v3 pool3 (FID), clean resize". */
  readonly name: string;
  /** Length of a row. */
  readonly dimensions: number;
  /** SHA-256, hexadecimal; another one whenever a feature could be another: weights, preprocessing, device, version. */
  readonly key: string;
  /**
   * Pictures, uint8 [N, 3, H, W] on the CPU -> float32 [N, dimensions] on the CPU that no scope owns. A picture's row does
   * not depend on the others, but for rounding. @throws ShapeError for other tensors, DisposedTensorError after release
   */
  features(images: Tensor): Tensor;
}

/** Options of every network that is read from files. */
export interface FeatureNetworkOptions {
  /** SHA-256 of the weights, hexadecimal; what computes it is the caller's. */
  readonly key: string;
  readonly device?: Device;
  /** Pictures that go through the network at once; more are taken in turns. */
  readonly batchSize?: number;
}

interface Parts extends FeatureNetworkOptions {
  readonly kind: FeatureKind;
  readonly name: string;
  readonly dimensions: number;
  /** What features depend on besides the weights: preprocessing and its version. */
  readonly recipe: string;
  /** Pictures, uint8 [n, 3, H, W] -> the network's input on the CPU, float32. */
  readonly prepare: (images: Tensor) => Tensor;
  /** The input on the device -> [n, dimensions]. */
  readonly embed: (input: Tensor) => Tensor;
  /** Owns the weights. */
  readonly network: Disposable;
}

/** A feature network of its parts; it owns `network`. */
export function makeFeatureNetwork(parts: Parts): FeatureNetwork {
  const {
    kind,
    name,
    dimensions,
    recipe,
    prepare,
    embed,
    network,
    key,
    device = "cpu",
    batchSize = 16,
  } = parts;
  // Rows stay where they are made: a device works on one batch while the next one is prepared.
  const oneBatch = (images: Tensor) => scope(() => embed(upload(prepare(images), device)).to("float32"));
  return {
    ...{ kind, name, dimensions },
    key: recipeKey([kind, recipe, key, device.replace(/:\d+$/, "")]),
    features(images) {
      requirePictures(images);
      const count = images.shape[0]!;
      const starts = Array.from({ length: Math.ceil(count / batchSize) }, (_, i) => i * batchSize);
      return keep(
        noGrad(() =>
          scope(() => {
            if (count === 0) return zeros([0, dimensions]);
            return cat(starts.map((start) => oneBatch(images.slice(0, start, start + batchSize)))).to("cpu");
          }),
        ),
      );
    },
    [Symbol.dispose]() {
      network[Symbol.dispose]();
    },
  };
}

const recipeKey = (parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex");

/** @throws ShapeError unless the tensor holds pictures, uint8 [N, 3, H, W]. */
export function requirePictures(images: Tensor): void {
  const [, channels, height = 0, width = 0] = images.shape;
  if (images.dtype === "uint8" && images.ndim === 4 && channels === 3 && height > 0 && width > 0) return;
  throw new ShapeError(
    `pictures of ${images.dtype} [${images.shape.join(", ")}]; expected uint8 [N, 3, H, W].`,
  );
}
