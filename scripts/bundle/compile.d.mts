// Types of compile.mjs.
export declare function toDist(code: string): string;
