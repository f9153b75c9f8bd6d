// Types of child.mjs.
export interface RunOptions {
  cwd?: string;
  show?: boolean;
  onText?: (text: string) => void;
  limitMs?: number;
  env?: Record<string, string | undefined>;
}
export interface RunResult {
  code: number;
  signal: NodeJS.Signals | null;
  output: string;
  timedOut: boolean;
}
export declare function run(
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<RunResult>;
export declare function tail(text: string, lines?: number): string;
export declare function undoOnExit(undo: () => void): () => void;
export declare function withTemporary<T>(path: string, work: (path: string) => Promise<T>): Promise<T>;
export declare function handleSignals(what?: string, consequence?: string): void;
