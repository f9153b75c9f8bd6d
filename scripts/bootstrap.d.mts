// Types of bootstrap.mjs.
export declare function checkSystem(options?: { node?: string; platform?: string }): void;
export declare function bootstrap(root: string, print: (line: string) => void): Promise<void>;
export declare function describeFailure(error: unknown): { text: string; exitCode: number };
