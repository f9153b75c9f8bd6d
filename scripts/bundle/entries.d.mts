// Types of entries.mjs.
export interface Entry {
  /** Relative to the root of the bundle, with "/". */
  readonly name: string;
  readonly mode: number;
  readonly data?: Buffer;
  /** A file, where there is no `data`. */
  readonly source?: string;
}
export declare function entry(name: string, data: string | Uint8Array, mode?: number): Entry;
export declare function fileEntry(name: string, source: string, mode?: number): Entry;
