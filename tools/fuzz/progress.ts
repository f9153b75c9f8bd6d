// What a worker tells its parent.

export interface Progress {
  /** Inputs tried so far, of those asked for. */
  readonly tried: number;
  /** Inputs by outcome: "accepted", the name of the error that refused them, or "other" for what no reader may throw. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** The first of those under "other", each different one once. */
  readonly bugs: readonly Bug[];
  /** Growth of the process's peak memory, in bytes. */
  readonly growth: number;
}

export interface Bug {
  /** The first input that shows it. */
  readonly number: number;
  readonly what: string;
}

/** File beside the input: its number, for the parent of a process that died. */
export const NUMBER_FILE = "number";
