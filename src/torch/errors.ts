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

/** A device has not enough free memory for what was asked; a smaller batch or dtype lowers it. */
export class OutOfMemoryError extends TorchError {}
