// Types of build-dist.mjs.
export declare function listFiles(folder: string): string[];
export declare function sourceHash(root: string): string;
export declare function isDistFresh(root: string, hash?: string): boolean;
export declare function buildDist(root: string, note: (text: string) => void): Promise<string>;
