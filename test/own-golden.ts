// The fixtures that the project makes itself: test/golden/NAME.safetensors by tools/golden/NAME.py, whatever GOLDEN_DIR says.
import { fileURLToPath } from "node:url";
import { readSafetensors, readSafetensorsHeader } from "../src/checkpoint/index.ts";
import type { Tensor } from "../src/torch/index.ts";

export interface OwnGolden {
  /** The tensor called `key`; throws when there is none. */
  readonly get: (key: string) => Tensor;
  readonly keys: readonly string[];
  /** The parsed JSON of one metadata entry. */
  readonly json: (entry: string) => unknown;
}

/** Tensors and metadata of one fixture; the tensors live as long as the process. */
export function ownGolden(name: string): OwnGolden {
  const path = fileURLToPath(new URL(`golden/${name}.safetensors`, import.meta.url));
  const tensors = readSafetensors(path);
  const { metadata } = readSafetensorsHeader(path);
  return {
    keys: [...tensors.keys()],
    get: (key) => {
      const found = tensors.get(key);
      if (found === undefined) throw new Error(`${path} has no tensor "${key}"`);
      return found;
    },
    json: (entry) => JSON.parse(metadata[entry] ?? "null") as unknown,
  };
}
