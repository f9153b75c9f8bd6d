// Types of packages.mjs.
export interface BundledPackage {
  readonly name: string;
  /** Relative to the root. */
  readonly path: string;
  readonly version: string;
  readonly license: string;
}
export declare function productionPackages(root: string): BundledPackage[];
export declare function isNeeded(name: string, file: string): boolean;
