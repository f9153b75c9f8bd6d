// A comparison with a golden number, as in test/parity but without vitest: every one is recorded, none stops the others.
import { readSafetensors } from "../../../src/checkpoint/index.ts";
import { autocast, type Device, inferenceMode, scope, type Tensor } from "../../../src/torch/index.ts";
import { golden } from "../../../test/golden-dir.ts";

export type Precision = "float32" | "bfloat16";

export interface Comparison {
  /** Row of the table, such as "models-sd1: U-Net output". */
  readonly row: string;
  /** Where the error was seen, such as the key of a run. */
  readonly at: string;
  readonly error: number;
  /** 0: must be exact. */
  readonly tolerance: number;
}

/** What a part of the parity subset is given. */
export interface Checks {
  readonly device: Device;
  readonly precision: Precision;
  /** Records an error; NaN is outside every tolerance. */
  readonly within: (row: string, at: string, error: number, tolerance: number) => void;
}

/** A tensor of a fixture on the device, in the tensor's own dtype. */
export const onDevice = ({ device }: Checks, tensor: Tensor): Tensor => tensor.to(device);

/** Runs a synchronous function in the precision that is checked: float32 as it is, bfloat16 by autocast. */
export const inPrecision = <T>({ device, precision }: Checks, fn: () => T): T =>
  precision === "float32" ? fn() : autocast({ device, dtype: precision }, fn);

/** |actual - expected| / |expected| in the 2-norm, in float64 on the processor. */
export function relativeError(actual: Tensor, expected: Tensor): number {
  if (actual.shape.join() !== expected.shape.join())
    throw new RangeError(`Shape [${actual.shape.join(", ")}], expected [${expected.shape.join(", ")}].`);
  return inferenceMode(() =>
    scope(() => {
      const exact = (xs: Tensor) => xs.detach().to("cpu").to("float64");
      const [a, b] = [exact(actual), exact(expected)];
      return a.sub(b).norm().item() / (b.norm().item() || 1);
    }),
  );
}

/** The largest absolute difference. */
export const largestDifference = (actual: Tensor, expected: Tensor): number =>
  scope(() => {
    const exact = (xs: Tensor) => xs.detach().to("cpu").to("float64");
    return exact(actual).sub(exact(expected)).abs().max().item();
  });

/** The gradient of a leaf. Errors: RangeError when there is none. */
export function gradientOf(tensor: Tensor): Tensor {
  const { grad } = tensor;
  if (grad === undefined) throw new RangeError("The backward pass left no gradient.");
  return grad;
}

/** The tensors of a golden file, on the processor; they are released with it. */
export class Fixture implements Disposable {
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #file: string;

  constructor(name: string) {
    this.#file = golden(name);
    this.#tensors = readSafetensors(this.#file);
  }

  get keys(): string[] {
    return [...this.#tensors.keys()];
  }

  /** The keys that begin with `prefix`, without it. Errors: RangeError when there is none. */
  below(prefix: string): string[] {
    const found = this.keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    if (found.length === 0) throw new RangeError(`${this.#file} has no tensor "${prefix}...".`);
    return found;
  }

  /** One tensor, which stays the fixture's. Errors: RangeError when there is none. */
  get(key: string): Tensor {
    const found = this.#tensors.get(key);
    if (found === undefined) throw new RangeError(`${this.#file} has no tensor "${key}".`);
    return found;
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
  }
}
