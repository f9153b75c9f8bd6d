// The features of all images of a comparison, a table per network: made or read when they are first asked for, released
// together.
import type { FeatureNetwork } from "../../metrics/index.ts";
import type { Tensor } from "../../torch/index.ts";
import type { StageContext } from "../stage.ts";
import { type FeatureOptions, featuresOf } from "./features.ts";
import type { ImageSet } from "./image-set.ts";

export interface NamedImages {
  /** For the progress, such as "Base model". */
  readonly label: string;
  readonly images: ImageSet;
}

export class FeatureTables implements Disposable {
  readonly #options: Omit<FeatureOptions, "onProgress"> & Partial<Pick<StageContext, "progress">>;
  readonly #tables = new Map<string, Tensor>();
  /** Sets have no name of their own: they are told apart by identity. */
  readonly #sets: ImageSet[] = [];

  constructor(options: Omit<FeatureOptions, "onProgress"> & Partial<Pick<StageContext, "progress">>) {
    this.#options = options;
  }

  /** Float32 [N, dimensions] on the CPU, owned by this object. Errors: those of `featuresOf`. */
  async of(network: FeatureNetwork, { label, images }: NamedImages): Promise<Tensor> {
    if (!this.#sets.includes(images)) this.#sets.push(images);
    const key = `${network.key} ${this.#sets.indexOf(images)}`;
    const known = this.#tables.get(key);
    if (known) return known;
    const { progress, ...options } = this.#options;
    const table = await featuresOf(network, images, {
      ...options,
      onProgress: (done, total) =>
        progress?.({ task: `looking at ${label}: ${network.name}`, done, total, unit: "images" }),
    });
    this.#tables.set(key, table);
    return table;
  }

  /** The same of several sets. */
  async all(network: FeatureNetwork, sets: readonly NamedImages[]): Promise<Tensor[]> {
    const tables: Tensor[] = [];
    for (const set of sets) tables.push(await this.of(network, set));
    return tables;
  }

  [Symbol.dispose](): void {
    for (const table of this.#tables.values()) table.dispose();
    this.#tables.clear();
  }
}
