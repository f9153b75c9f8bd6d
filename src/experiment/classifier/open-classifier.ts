// A trained attribute classifier: a folder of ours, or what the reference's train_classifier.py writes (a bare model.pth).
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Estimate } from "../../metrics/index.ts";
import { largestInRows } from "../../metrics/index.ts";
import { loadResnet, type Resnet } from "../../models/index.ts";
import { ConfigError, inferenceMode, scope, ShapeError, type Tensor } from "../../torch/index.ts";
import { type ClassifierFile, readClassifierFile } from "./classifier-file.ts";
import { IMAGE_SIZE, IMAGENET, normalised, squashed } from "../../data/imagenet.ts";

/** Averages as the reference's metrics_all.json states them. */
export interface ReportedMetrics {
  readonly accuracy?: number | undefined;
  readonly precision?: number | undefined;
  readonly recall?: number | undefined;
  readonly f1?: number | undefined;
  /** Two values only. */
  readonly auc?: number | undefined;
}

export interface Classified {
  /** Most likely value of each image, [N]. */
  readonly classes: Int32Array;
  /** [N][values] row-major. */
  readonly probabilities: Float32Array;
}

export interface AttributeClassifier extends Disposable {
  readonly column: string;
  /** What each class is called. */
  readonly values: readonly string[];
  /** For people, such as "ResNet-18, 224 pixels". */
  readonly architecture: string;
  readonly imageSize: number;
  /** [true][predicted] on the held-out images; undefined for the reference's files. */
  readonly confusion?: readonly (readonly number[])[] | undefined;
  /** On the held-out images; undefined for the reference's files, which do not say how many there were. */
  readonly accuracy?: Estimate | undefined;
  /** Images of the test split, or of the validation split when there was no other. */
  readonly heldOutImages?: number | undefined;
  /** What is written beside the weights. */
  readonly reported?: ReportedMetrics | undefined;
  /** uint8 images [N, 3, H, W] on the CPU, of any size. */
  classify(images: Tensor): Classified;
}

export interface OpenClassifierOptions {
  readonly device: string;
  /** What the classes are called, in their order; without it as saved, or "0", "1", ... for the reference's files. */
  readonly values?: readonly string[] | undefined;
  /** The attribute that it has to recognise; without it as saved, or "attribute" for the reference's files. */
  readonly column?: string | undefined;
}

const BATCH = 64;

/**
 * Opens a classifier; the caller disposes of it. Weights are shared with the file until they are used.
 * Errors: CheckpointError for a place that holds none; ConfigError for names that do not fit its classes.
 */
export function openClassifier(place: string, options: OpenClassifierOptions): AttributeClassifier {
  const { device } = options;
  const folder = existsSync(place) && statSync(place).isDirectory() ? place : undefined;
  const saved = folder === undefined ? undefined : readClassifierFile(folder);
  const names = saved && namesOf(saved, place, options);
  const model = loadResnet(folder !== undefined && saved ? join(folder, "model.safetensors") : place, {
    device,
    architecture: saved?.architecture,
  }).eval();
  try {
    const { numClasses, architecture } = model.config;
    const values = names?.values ?? options.values ?? Array.from({ length: numClasses }, (_, i) => String(i));
    if (values.length !== numClasses)
      throw new ConfigError(
        `${place} tells ${numClasses} values apart, but ${values.length} are named (${values.join(", ")}).`,
      );
    const { imageSize = IMAGE_SIZE, mean = IMAGENET.mean, std = IMAGENET.std } = saved ?? {};
    return {
      column: names?.column ?? options.column ?? "attribute",
      values,
      imageSize,
      architecture: `ResNet-${architecture.slice("resnet".length)}, ${imageSize} pixels`,
      ...(saved
        ? savedQuality(saved)
        : { reported: folder === undefined ? undefined : reportedMetrics(folder) }),
      classify: (images) => classify(model, images, { imageSize, mean, std, device }),
      [Symbol.dispose]() {
        model[Symbol.dispose]();
      },
    };
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
}

/** The names to use. Errors: ConfigError when another attribute is asked for than the one that was learnt. */
function namesOf(
  saved: ClassifierFile,
  place: string,
  { column, values }: OpenClassifierOptions,
): { column: string; values: readonly string[] } {
  if (column !== undefined && column !== saved.column && values === undefined)
    throw new ConfigError(
      `${place} recognises "${saved.column}" (${saved.values.join(", ")}), not "${column}". Give the classifier of ` +
        `"${column}", or say what its classes stand for by naming its values.`,
    );
  return { column: column ?? saved.column, values: values ?? saved.values };
}

function savedQuality({ metrics }: ClassifierFile): Quality {
  const { images, accuracy, interval, precision, recall, f1, auc, confusion } =
    metrics.test ?? metrics.validation;
  return {
    accuracy: { value: accuracy, interval },
    heldOutImages: images,
    confusion,
    reported: { accuracy, precision, recall, f1, auc },
  };
}

/** What the reference wrote beside its weights; its file with the test metrics is spelt that way. */
function reportedMetrics(folder: string): ReportedMetrics | undefined {
  for (const name of ["merrics_all.json", "metrics_all.json"]) {
    try {
      const found = JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown> | null;
      const values = (found?.["test"] ?? found?.["valid"]) as Record<string, unknown> | undefined;
      if (typeof values?.["accuracy"] !== "number") continue;
      const number = (key: string) => (typeof values[key] === "number" ? values[key] : undefined);
      const [accuracy, precision, recall, f1, auc] = ["accuracy", "precision", "recall", "f1", "auc"].map(
        number,
      );
      return { accuracy, precision, recall, f1, auc };
    } catch {
      // Absent or broken: the weights are what counts.
    }
  }
  return undefined;
}

type Quality = Pick<AttributeClassifier, "accuracy" | "heldOutImages" | "confusion" | "reported">;

interface Preprocessing {
  readonly imageSize: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly device: string;
}

function classify(model: Resnet, images: Tensor, { imageSize, ...rest }: Preprocessing): Classified {
  if (images.ndim !== 4 || images.shape[1] !== 3 || images.dtype !== "uint8")
    throw new ShapeError(
      `classify was given ${images.dtype} [${images.shape.join(", ")}]; expected uint8 [N, 3, H, W].`,
    );
  const { numClasses } = model.config;
  const count = images.shape[0]!;
  const probabilities = new Float32Array(count * numClasses);
  for (let first = 0; first < count; first += BATCH) {
    const rows = scope(() =>
      inferenceMode(() => {
        const batch = squashed(images.slice(0, first, Math.min(first + BATCH, count)), imageSize);
        return model.forward(normalised(batch, rest)).softmax(1).toArray() as Float32Array;
      }),
    );
    probabilities.set(rows, first * numClasses);
  }
  return { classes: Int32Array.from(largestInRows(probabilities, numClasses)), probabilities };
}
