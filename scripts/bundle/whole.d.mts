// Types of whole.mjs.
import type { Entry } from "./entries.mjs";

export declare function missingImports(entries: readonly Entry[]): Promise<string[]>;
