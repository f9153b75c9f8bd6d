// Types of node-binary.mjs.
export declare function foreignLibraries(loaded: readonly string[]): string[];
export declare function nodeLicence(execPath?: string): string | undefined;
