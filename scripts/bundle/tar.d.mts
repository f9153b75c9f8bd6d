// Types of tar.mjs.
import type { Entry } from "./entries.mjs";

export declare function splitName(name: string): { prefix: string; rest: string };
export declare function tarPieces(top: string, entries: readonly Entry[]): Generator<Buffer>;
