/** LPIPS between pictures: how different they look, 0 for equal ones. The diversity of a prompt's images is made of it. */
import { type LoadNetworkOptions, loadLpips, type LpipsFiles, type LpipsVgg } from "../../models/index.ts";
import {
  cat,
  type Device,
  keep,
  noGrad,
  scope,
  ShapeError,
  type Tensor,
  upload,
  zeros,
} from "../../torch/index.ts";
import { requirePictures } from "./feature-network.ts";
import { lpipsInput } from "./preprocess.ts";

/** Pixels whose maps are held at once, about 0.5 kB each: 4 pictures of 512 x 512. */
const PIXELS_AT_ONCE = 1 << 20;
const MAX_PICTURES = 32;

export class Lpips implements Disposable {
  readonly name = "LPIPS with VGG-16";
  readonly #network: LpipsVgg;
  readonly #device: Device;

  /** Owns the network, whose weights lie on the device. */
  constructor(network: LpipsVgg, { device = "cpu" }: LoadNetworkOptions = {}) {
    this.#network = network;
    this.#device = device;
  }

  /** From the linear layers of lpips or torchmetrics and torchvision's VGG-16. @throws CheckpointError, ConfigError */
  static load({ device, ...files }: LpipsFiles & LoadNetworkOptions): Lpips {
    const options = device === undefined ? {} : { device };
    return new Lpips(loadLpips(files, options), options);
  }

  /**
   * Two lists of pictures, uint8 [N, 3, H, W] -> the distance of each to its partner, float32 [N] on the CPU that no scope owns.
   * @throws ShapeError unless they are pairs
   */
  distances(a: Tensor, b: Tensor): Tensor {
    requirePictures(a);
    requirePictures(b);
    if (a.shape.join() !== b.shape.join())
      throw new ShapeError(`pictures [${a.shape.join(", ")}] and [${b.shape.join(", ")}] are no pairs.`);
    const blocks = blocksOf(a, 2);
    return keep(
      noGrad(() =>
        scope(() =>
          blocks.length === 0
            ? zeros([0])
            : cat(
                blocks.map((block) =>
                  scope(() =>
                    this.#network.paired(this.#features(a, block), this.#features(b, block)).to("cpu"),
                  ),
                ),
              ),
        ),
      ),
    );
  }

  /**
   * Pictures, uint8 [N, 3, H, W] -> the distances of all pairs, N (N - 1) / 2 numbers in the order (0, 1), (0, 2), ..., (1, 2), ...
   * A picture goes through the network once for each block of pictures before its own, not once for each pair.
   */
  pairDistances(images: Tensor): Float32Array {
    requirePictures(images);
    const count = images.shape[0]!;
    const result = new Float32Array((count * (count - 1)) / 2);
    const blocks = blocksOf(images, 1);
    noGrad(() => {
      for (const [i, rows] of blocks.entries())
        scope(() => {
          const left = this.#features(images, rows);
          for (const columns of blocks.slice(i))
            scope(() => {
              const right = columns === rows ? left : this.#features(images, columns);
              place(result, { count, rows, columns }, this.#network.crossed(left, right).toArray());
            });
        });
    });
    return result;
  }

  #features(images: Tensor, { start, end }: Block): Tensor[] {
    return scope(() => this.#network.features(upload(lpipsInput(images.slice(0, start, end)), this.#device)));
  }

  [Symbol.dispose](): void {
    this.#network[Symbol.dispose]();
  }
}

interface Block {
  readonly start: number;
  readonly end: number;
}

/** Ranges of pictures, as many at once as memory takes when `lists` of them are held. */
function blocksOf(images: Tensor, lists: number): Block[] {
  const [count = 0, , height = 1, width = 1] = images.shape;
  const fitting = Math.floor(PIXELS_AT_ONCE / (lists * height * width));
  const size = Math.min(Math.max(fitting, 1), MAX_PICTURES);
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    start: i * size,
    end: Math.min((i + 1) * size, count),
  }));
}

/** Writes a block of the matrix of distances to where its pairs (i < j) lie in the list of them. */
function place(
  result: Float32Array,
  { count, rows, columns }: { readonly count: number; readonly rows: Block; readonly columns: Block },
  values: ArrayLike<number | bigint>,
): void {
  const width = columns.end - columns.start;
  for (let i = rows.start; i < rows.end; i++)
    for (let j = Math.max(columns.start, i + 1); j < columns.end; j++) {
      const before = i * count - (i * (i + 1)) / 2;
      result[before + j - i - 1] = Number(values[(i - rows.start) * width + j - columns.start]);
    }
}
