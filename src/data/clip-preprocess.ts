/**
 * Pictures as CLIP's input, as transformers' CLIPImageProcessor makes them: resize, centre crop, rescale, normalise.
 * The same operators of libtorch in the same order as its torchvision back end, so pixel values are equal to the last bit.
 */
import { cat, ConfigError, pad, scope, ShapeError, tensor } from "../torch/index.ts";
import { type Tensor, upsampleBicubic2dAa, upsampleBilinear2dAa } from "../torch/index.ts";
import type { RgbImage } from "./resize.ts";

export interface ClipImageOptions {
  /** Undefined: pictures keep their size. */
  readonly resize?: { readonly shortestEdge: number } | Rectangle | undefined;
  readonly resample: "bilinear" | "bicubic";
  /** Cut from the middle; pictures that are smaller get black borders. */
  readonly crop?: Rectangle | undefined;
  /** Factor of the bytes. */
  readonly rescaleFactor?: number | undefined;
  /** Of the rescaled values, for each of R, G and B. */
  readonly normalize?: { readonly mean: readonly number[]; readonly std: readonly number[] } | undefined;
}

interface Rectangle {
  readonly height: number;
  readonly width: number;
}

type Config = Readonly<Record<string, unknown>>;

/** transformers' numbers for resampling (Pillow's). */
const RESAMPLING = new Map<unknown, ClipImageOptions["resample"]>([
  [2, "bilinear"],
  [3, "bicubic"],
]);
const MAX_PIXELS = 16_384;

/**
 * Options from (part of) a preprocessor_config.json, old or new; what is not named has CLIPImageProcessor's default.
 * @throws ConfigError naming the option that is unusable or not supported.
 */
export function clipImageOptions(config: Config = {}): ClipImageOptions {
  const does = (key: string, fallback: boolean): boolean => {
    const value = config[key] ?? fallback;
    return typeof value === "boolean" ? value : refuse(key, value, "true or false");
  };
  if (does("do_pad", false)) refuse("do_pad", true, "false");
  const resample = RESAMPLING.get(config["resample"] ?? 3);
  const rescales = does("do_rescale", true);
  return {
    resize: does("do_resize", true) ? resizeOf(config["size"] ?? 224) : undefined,
    resample: resample ?? refuse("resample", config["resample"], "2 (bilinear) or 3 (bicubic)"),
    crop: does("do_center_crop", true) ? rectangleOf("crop_size", config["crop_size"] ?? 224) : undefined,
    rescaleFactor: rescales ? factorOf(config["rescale_factor"] ?? 1 / 255) : undefined,
    normalize: does("do_normalize", true)
      ? {
          mean: channelsOf("image_mean", config["image_mean"] ?? [0.48145466, 0.4578275, 0.40821073]),
          std: channelsOf("image_std", config["image_std"] ?? [0.26862954, 0.26130258, 0.27577711]),
        }
      : undefined,
  };
}

function refuse(option: string, value: unknown, expected: string): never {
  const given = (JSON.stringify(value) ?? String(value)).slice(0, 80);
  throw new ConfigError(
    `preprocessor_config.json: ${option} = ${given} is not supported; expected ${expected}`,
  );
}

const isPixels = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_PIXELS;

const keysOf = (value: unknown): string =>
  typeof value === "object" && value !== null ? Object.keys(value).sort().join() : "";

function resizeOf(value: unknown): NonNullable<ClipImageOptions["resize"]> {
  if (isPixels(value)) return { shortestEdge: value };
  if (keysOf(value) !== "shortest_edge") return rectangleOf("size", value, " or {shortest_edge}");
  const edge = (value as Config)["shortest_edge"];
  return isPixels(edge) ? { shortestEdge: edge } : refuse("size", value, "a number of pixels");
}

function rectangleOf(option: string, value: unknown, more = ""): Rectangle {
  if (isPixels(value)) return { height: value, width: value };
  const { height, width } = keysOf(value) === "height,width" ? (value as Config) : {};
  if (isPixels(height) && isPixels(width)) return { height, width };
  return refuse(option, value, `a number of pixels up to ${MAX_PIXELS}, {height, width}${more}`);
}

const isFactor = (value: unknown): value is number => Number.isFinite(value) && value !== 0;

const factorOf = (value: unknown): number =>
  isFactor(value) ? value : refuse("rescale_factor", value, "a number other than 0");

function channelsOf(option: string, value: unknown): readonly number[] {
  const list: unknown = typeof value === "number" ? [value, value, value] : value;
  const usable = (item: unknown): item is number =>
    option === "image_std" ? isFactor(item) : Number.isFinite(item);
  if (Array.isArray(list) && list.length === 3 && list.every(usable)) return list;
  return refuse(option, value, `a number${option === "image_std" ? " other than 0" : ""}, or three of them`);
}

/**
 * Pictures, uint8 [N, 3, H, W] on the CPU, or decoded ones of any sizes, as pixel values float32 [N, 3, height, width].
 * Without `crop` all pictures of a list must come out at one size.
 * @throws ShapeError for a tensor of another kind.
 */
export function clipPixelValues(images: Tensor | readonly RgbImage[], options: ClipImageOptions): Tensor {
  const process = (batch: Tensor) => normalized(cropped(resized(batch, options), options), options);
  if (isList(images)) return scope(() => cat(images.map((image) => scope(() => process(planes(image))))));
  if (images.dtype !== "uint8" || images.ndim !== 4 || images.shape[1] !== 3) {
    throw new ShapeError(
      `clipPixelValues was given ${images.dtype} [${images.shape.join(", ")}]; expected uint8 [N, 3, H, W]`,
    );
  }
  return scope(() => process(images));
}

const planes = ({ data, width, height }: RgbImage): Tensor =>
  tensor(data, { shape: [1, height, width, 3] })
    .permute([0, 3, 1, 2])
    .contiguous();

const isList = (images: Tensor | readonly RgbImage[]): images is readonly RgbImage[] => Array.isArray(images);

const heightAndWidth = (images: Tensor): readonly [number, number] =>
  images.shape.slice(2) as unknown as readonly [number, number];

function resized(images: Tensor, { resize, resample }: ClipImageOptions): Tensor {
  if (resize === undefined) return images;
  const [height, width] = heightAndWidth(images);
  const target = "shortestEdge" in resize ? byShortestEdge(resize.shortestEdge, height, width) : resize;
  if (target.height === height && target.width === width) return images;
  const upsample = resample === "bicubic" ? upsampleBicubic2dAa : upsampleBilinear2dAa;
  return upsample(images, [target.height, target.width], false);
}

function byShortestEdge(edge: number, height: number, width: number): Rectangle {
  return width <= height
    ? { height: Math.trunc((edge * height) / width), width: edge }
    : { height: edge, width: Math.trunc((edge * width) / height) };
}

function cropped(images: Tensor, { crop }: ClipImageOptions): Tensor {
  if (crop === undefined) return images;
  const [height, width] = heightAndWidth(images);
  const [missingX, missingY] = [Math.max(crop.width - width, 0), Math.max(crop.height - height, 0)];
  const around = [missingX, missingY].flatMap((missing) => [missing >> 1, (missing + 1) >> 1]);
  const padded = missingX + missingY > 0 ? pad(images, around) : images;
  const top = (height + missingY - crop.height) >> 1;
  const left = (width + missingX - crop.width) >> 1;
  return padded.slice(2, top, top + crop.height).slice(3, left, left + crop.width);
}

/** One subtraction and one division, with the factor of the bytes already in mean and deviation. */
function normalized(images: Tensor, { rescaleFactor = 1, normalize }: ClipImageOptions): Tensor {
  const values = images.to("float32");
  if (normalize === undefined) return values.mul(rescaleFactor);
  const perChannel = (list: readonly number[]) =>
    tensor(list)
      .mul(1 / rescaleFactor)
      .view([3, 1, 1]);
  return values.sub(perChannel(normalize.mean)).div(perChannel(normalize.std));
}
