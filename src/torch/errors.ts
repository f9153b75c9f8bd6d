// The error family of the whole package: every message says what was given, what was expected and what to do.

/** Base of all errors thrown on purpose; `kind` decides the exit code (user: 1, internal: 2). */
export class InvDiffError extends Error {
  readonly kind: "user" | "internal" = "internal";
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An operator of libtorch failed; the message carries the operator, the shapes and the dtypes. */
export class TorchError extends InvDiffError {}

/** A tensor was used after its release; the message names the operator. */
export class DisposedTensorError extends InvDiffError {}

/** Shapes do not fit together. */
export class ShapeError extends InvDiffError {}

/** The user's input is wrong: a path, a file, an option. */
export class UserError extends InvDiffError {
  override readonly kind = "user";
}

/** A configuration value is wrong. */
export class ConfigError extends UserError {}

/** A model or tensor file is missing, broken or does not fit the model. */
export class CheckpointError extends UserError {}

/** A data set is missing or broken. */
export class DataError extends UserError {}

/** True for the words with which libtorch says that there was no memory left, whatever the type of its error. */
export const isOutOfMemory = (message: string): boolean =>
  /out of memory|DefaultCPUAllocator: (can't allocate|not enough) memory|_STATUS_ALLOC_FAILED|std::bad_alloc/.test(
    message,
  );

const UNITS: Readonly<Record<string, number>> = {
  bytes: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** The size that stands where `words` has SIZE. */
function sizeIn(message: string, ...words: string[]): number | undefined {
  for (const text of words) {
    const found = new RegExp(text.replace("SIZE", "([\\d.]+) (bytes|KiB|MiB|GiB)")).exec(message);
    if (found) return Math.round(Number(found[1]) * UNITS[found[2]!]!);
  }
  return undefined;
}

function deviceIn(message: string): string | undefined {
  if (/DefaultCPUAllocator|std::bad_alloc/.test(message)) return "cpu";
  const kind = /(\w+) out of memory\. /.exec(message)?.[1] ?? /CUDA|CUBLAS|CUDNN/.exec(message)?.[0];
  if (kind === undefined) return undefined;
  const type = /^cu/i.test(kind) ? "cuda" : kind.toLowerCase();
  return `${type}:${/GPU (\d+)/.exec(message)?.[1] ?? 0}`;
}

/**
 * A device has not enough free memory for what was asked; a smaller batch or dtype lowers it.
 * The fields are read from libtorch's own words (sizes are rounded there to two digits), undefined where it does not say.
 */
export class OutOfMemoryError extends TorchError {
  override readonly kind = "user";
  /** "cpu" or "cuda:N". */
  readonly device: string | undefined;
  readonly requestedBytes: number | undefined;
  /** What the driver had left; the allocator's cache is emptied before this error. */
  readonly freeBytes: number | undefined;
  readonly totalBytes: number | undefined;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.device = deviceIn(message);
    this.requestedBytes = sizeIn(message, "[Tt]ried to allocate SIZE", "Requested size: SIZE");
    this.freeBytes = sizeIn(message, "SIZE is free", "SIZE free");
    this.totalBytes = sizeIn(
      message,
      "total capacity of SIZE",
      "total capacty of SIZE",
      "SIZE total capacity",
    );
  }
}
