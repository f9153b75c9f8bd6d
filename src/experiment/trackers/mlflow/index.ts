// The tracker behind an MLflow server. Metrics wait in a queue that is sent beside the training: a server that is slow, down or
// out of order costs a warning and never a step.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../../torch/atomic-file.ts";
import { redactText } from "../redact.ts";
import type { RunOutcome, TrackedRun, Tracker } from "../tracker.ts";
import { type MlflowClient, mlflowClient, MlflowError, type MlflowMetric } from "./client.ts";
import { mlflowName, mlflowParams } from "./params.ts";

export interface MlflowOptions {
  readonly url: string;
  /** Name of the experiment that the run belongs to. */
  readonly experiment: string;
  readonly resumeStep: number;
  readonly run: TrackedRun;
  /** Told once, at the first failure. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Milliseconds. */
  readonly waits?: Partial<MlflowWaits> | undefined;
}

interface MlflowWaits {
  /** For one answer. */
  readonly request: number;
  /** At most, in `flush`. */
  readonly flush: number;
  /** At most, in `close`. */
  readonly close: number;
  /** After a failure, before the next try. */
  readonly retry: number;
}

const WAITS: MlflowWaits = { request: 10_000, flush: 1_000, close: 10_000, retry: 30_000 };
/** The server's limits. */
const METRICS_AT_ONCE = 1000;
const PARAMS_AT_ONCE = 100;
/** So many waiting metrics are sent without waiting for a flush. */
const SEND_FROM = 200;
/** While the server is away, only the latest are kept. */
const MOST_WAITING = 100_000;
/** Which run a training continues. */
const FILE = "mlflow.json";

const STATUS: Record<RunOutcome, string> = { finished: "FINISHED", interrupted: "KILLED", failed: "FAILED" };

/** Starts or continues the run of a training's folder. Errors: UserError when `url` is no web address; nothing else, ever. */
export function openMlflow(dir: string, options: MlflowOptions): Tracker {
  const { onWarning } = options;
  const waits = { ...WAITS, ...options.waits };
  const client = mlflowClient(options.url);
  const stopped = new AbortController();
  const waiting: MlflowMetric[] = [];
  let runId: string | undefined;
  let sending: Promise<void> | undefined;
  let retryAt = 0;
  let warned = false;

  const signal = (): AbortSignal => AbortSignal.any([stopped.signal, AbortSignal.timeout(waits.request)]);
  const work = async (): Promise<void> => {
    try {
      runId ??= await startRun(dir, client, options, signal);
      while (waiting.length > 0) {
        const metrics = waiting.slice(0, METRICS_AT_ONCE);
        await client.logBatch(runId, { metrics }, signal());
        waiting.splice(0, metrics.length);
      }
    } catch (error) {
      retryAt = performance.now() + waits.retry;
      warn(error);
    }
  };
  const warn = (error: unknown): void => {
    if (warned) return;
    warned = true;
    onWarning?.(`MLflow at ${client.address} is out of reach: ${reason(error)} The training goes on.`);
  };
  const send = (): Promise<void> => {
    if (sending === undefined && performance.now() < retryAt) return Promise.resolve();
    return (sending ??= work().finally(() => (sending = undefined)));
  };
  const log = (step: number, values: Readonly<Record<string, number>>, prefix = ""): void => {
    const timestamp = Date.now();
    for (const [name, value] of Object.entries(values))
      if (Number.isFinite(value))
        waiting.push({ key: mlflowName(`${prefix}${name}`), value, timestamp, step });
    if (waiting.length > MOST_WAITING && sending === undefined)
      waiting.splice(0, waiting.length - MOST_WAITING);
    if (waiting.length >= SEND_FROM) void send();
  };
  void send();
  return {
    scalars: (step, values) => log(step, values),
    timing: (step, values) => log(step, values, "timing/"),
    histogram() {},
    images() {},
    text() {},
    flush: () => within(waits.flush, send()),
    async close(outcome = "finished") {
      const end = async (): Promise<void> => {
        await sending;
        // A server that was away gets a last chance.
        retryAt = 0;
        await send();
        if (runId !== undefined)
          await client.updateRun(runId, STATUS[outcome], signal()).catch((error: unknown) => warn(error));
      };
      await within(waits.close, end());
      stopped.abort(new Error("the training ended before the server answered."));
    },
  };
}

/** Continues the run that an earlier try noted, or makes one and notes it. */
async function startRun(
  dir: string,
  client: MlflowClient,
  { experiment, resumeStep, run }: MlflowOptions,
  signal: () => AbortSignal,
): Promise<string> {
  const path = join(dir, FILE);
  const owner = { address: client.address, experiment };
  const noted = resumeStep > 0 ? notedRun(path, owner) : undefined;
  if (noted !== undefined) {
    try {
      await client.updateRun(noted, "RUNNING", signal());
      return noted;
    } catch (error) {
      // Deleted on the server in the meantime.
      if (!(error instanceof MlflowError && error.status === 404)) throw error;
    }
  }
  const experimentId = await client.experiment(experiment, signal());
  const tags = run.command === undefined ? [] : [{ key: "command", value: run.command.slice(0, 5000) }];
  const runId = await client.createRun({ experimentId, name: run.name, tags }, signal());
  writeFileAtomic(path, `${JSON.stringify({ ...owner, runId })}\n`);
  const params = mlflowParams(run.config);
  for (let first = 0; first < params.length; first += PARAMS_AT_ONCE)
    await client.logBatch(runId, { params: params.slice(first, first + PARAMS_AT_ONCE) }, signal());
  return runId;
}

function notedRun(path: string, owner: { address: string; experiment: string }): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const noted = JSON.parse(readFileSync(path, "utf8")) as Partial<typeof owner & { runId: string }>;
    const isSame = noted.address === owner.address && noted.experiment === owner.experiment;
    return isSame ? noted.runId : undefined;
  } catch {
    return undefined;
  }
}

/** The promise, given up (not cancelled) after some milliseconds. */
async function within(milliseconds: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** fetch hides what went wrong in `cause`. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const text = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
  const full = redactText(text ?? error.message);
  return /[.!?]$/.test(full) ? full : `${full}.`;
}
