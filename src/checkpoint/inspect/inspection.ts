// What looking into model files tells, without loading them.

export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** One file of tensors, or all shards of one index. */
export interface TensorFile {
  readonly kind: "safetensors" | "shards" | "pickle";
  readonly path: string;
  /** Size on the disk, all shards together. */
  readonly fileBytes: number;
  readonly tensors: readonly TensorInfo[];
  /** safetensors: the header's own notes. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Shards: names of the files. */
  readonly files?: readonly string[];
  /** Pickles: the container, what is there besides tensors, and the Python objects that it names. */
  readonly pickle?: {
    readonly container: string;
    readonly protocol: number;
    readonly other: readonly { readonly path: string; readonly type: string; readonly summary: string }[];
    readonly globals: readonly string[];
  };
}

/** A file that cannot be read, with the reason. */
export interface BrokenFile {
  readonly kind: "broken";
  readonly path: string;
  readonly error: string;
}

/** A folder: of a whole model, of one network, or any other with files of tensors below. */
export interface FolderInfo {
  readonly kind: "folder";
  readonly path: string;
  /** What it is, as far as its files say: "StableDiffusionPipeline", "UNet2DConditionModel", "InvDiff checkpoint". */
  readonly what: string | undefined;
  /** Its configuration file, if it has one. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  readonly items: readonly Inspection[];
}

export type Inspection = TensorFile | BrokenFile | FolderInfo;

/** Parameters by dtype: how many scalars a file holds. */
export function scalarsByDtype(tensors: readonly TensorInfo[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { dtype, shape } of tensors)
    counts.set(dtype, (counts.get(dtype) ?? 0) + shape.reduce((a, b) => a * b, 1));
  return counts;
}
