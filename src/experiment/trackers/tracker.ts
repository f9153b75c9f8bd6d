// What a training tells while it runs, whoever listens.

/** How a run ended. */
export type RunOutcome = "finished" | "interrupted" | "failed";

export interface Tracker {
  /** Values of a step by name; several calls for one step are one record. */
  scalars(step: number, values: Readonly<Record<string, number>>): void;
  /** Times and speeds of a step: what two runs of one seed do not share. */
  timing(step: number, values: Readonly<Record<string, number>>): void;
  histogram(step: number, name: string, values: ArrayLike<number>): void;
  /** Pictures as PNG files. */
  images(step: number, name: string, pngs: readonly Uint8Array[]): void;
  text(step: number, name: string, text: string): void;
  /** Resolves when everything told so far is safe on disk; servers are waited for only briefly. */
  flush(): Promise<void>;
  /** Flushes and lets go; the outcome (default "finished") is passed on to servers that ask for it. */
  close(outcome?: RunOutcome): Promise<void>;
}

/** What trackers note about the run itself. */
export interface TrackedRun {
  readonly name: string;
  /** Anything that JSON can hold; passwords inside web addresses are left out. */
  readonly config: unknown;
  readonly command?: string | undefined;
}
