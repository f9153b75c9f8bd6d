// run.json: what a training is and how it stands, for whoever opens its folder later.
import { join } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { writeFileAtomic } from "../../torch/atomic-file.ts";
import { packageVersion } from "../versions.ts";
import { redact, redactText } from "./redact.ts";
import type { RunOutcome } from "./tracker.ts";

export const RUN_FILE = "run.json";

/** What is known when a training starts. */
export interface RunFacts {
  /** "base", "guidance". */
  readonly stage: string;
  readonly command?: string | undefined;
  /** Anything that JSON can hold. */
  readonly config: unknown;
  /** Versions besides those of invdiff and Node.js. */
  readonly versions?: Readonly<Record<string, string>> | undefined;
  /** Parameters of each model. */
  readonly models: Readonly<Record<string, { readonly total: number; readonly trainable: number }>>;
  /** Counts: images, captions, groups, ... */
  readonly data: Readonly<Record<string, number>>;
  readonly steps: number;
  /** Step that this try goes on after; default 0. */
  readonly resumeStep?: number | undefined;
}

/** The content of run.json. */
export interface RunDescription extends Omit<RunFacts, "resumeStep" | "versions"> {
  readonly format: "invdiff-run";
  readonly version: 1;
  readonly status: "running" | RunOutcome;
  /** Why it failed or stopped. */
  readonly reason?: string | undefined;
  /** Steps done. */
  readonly lastStep: number;
  readonly startedAt: string;
  readonly updatedAt: string;
  /** Later tries: when, and after which step they went on. */
  readonly resumed: readonly { readonly at: string; readonly afterStep: number }[];
  readonly versions: Readonly<Record<string, string>>;
}

export interface RunRecord {
  readonly path: string;
  /** Notes how the run stands. */
  update(change: {
    readonly status?: RunDescription["status"];
    readonly reason?: string | undefined;
    readonly lastStep?: number;
  }): void;
}

/** What run.json in `dir` says; undefined when there is none that can be read. */
export function readRun(dir: string): RunDescription | undefined {
  const path = join(dir, RUN_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as RunDescription | null;
    return value?.format === "invdiff-run" ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes run.json as "running"; a resumed run keeps its first start and lists this try. Passwords in web addresses are left out.
 * Errors: the system's own (ENOSPC, ...), also from `update`.
 */
export function describeRun(dir: string, facts: RunFacts): RunRecord {
  const { resumeStep = 0, versions, ...rest } = facts;
  const path = join(dir, RUN_FILE);
  const now = (): string => new Date().toISOString();
  const earlier = resumeStep > 0 ? readRun(dir) : undefined;
  const at = now();
  let current: RunDescription = {
    format: "invdiff-run",
    version: 1,
    status: "running",
    lastStep: resumeStep,
    startedAt: earlier?.startedAt ?? at,
    updatedAt: at,
    resumed: [...(earlier?.resumed ?? []), ...(resumeStep > 0 ? [{ at, afterStep: resumeStep }] : [])],
    ...rest,
    ...(rest.command !== undefined && { command: redactText(rest.command) }),
    config: redact(JSON.parse(JSON.stringify(rest.config)) as unknown),
    versions: { invdiff: packageVersion(), node: process.versions.node, ...versions },
  };
  const write = (): void => writeFileAtomic(path, `${JSON.stringify(current, null, 2)}\n`);
  write();
  return {
    path,
    update(change) {
      const reason = change.reason === undefined ? {} : { reason: redactText(change.reason) };
      current = { ...current, ...change, ...reason, updatedAt: now() };
      write();
    },
  };
}
