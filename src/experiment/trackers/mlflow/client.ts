// The few calls of MLflow's REST API that a training needs (https://mlflow.org/docs/latest/rest-api.html).
import { UserError } from "../../../torch/errors.ts";
import { redactText } from "../redact.ts";

export interface MlflowMetric {
  readonly key: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

export interface MlflowEntry {
  readonly key: string;
  readonly value: string;
}

export interface MlflowClient {
  /** The address without user name and password. */
  readonly address: string;
  /** Id of the experiment with this name, which is made if need be. */
  experiment(name: string, signal: AbortSignal): Promise<string>;
  /** Id of a new run. */
  createRun(
    run: { experimentId: string; name: string; tags: readonly MlflowEntry[] },
    signal: AbortSignal,
  ): Promise<string>;
  /** At most 1000 metrics and 100 parameters at once. */
  logBatch(
    runId: string,
    batch: { metrics?: readonly MlflowMetric[]; params?: readonly MlflowEntry[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** Status RUNNING, FINISHED, FAILED or KILLED. */
  updateRun(runId: string, status: string, signal: AbortSignal): Promise<void>;
}

/** The server's answer was no success. */
export class MlflowError extends UserError {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** A client of the server at `url`; a user name and password in it become an Authorization header. Errors: UserError for no web address. */
export function mlflowClient(url: string): MlflowClient {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UserError(
      `The address of the MLflow server is ${redactText(url)}; expected one such as http://127.0.0.1:5000.`,
    );
  const parsed = new URL(url);
  const user = [parsed.username, parsed.password].map(decodeURIComponent).join(":");
  [parsed.username, parsed.password] = ["", ""];
  const address = parsed.href.replace(/\/+$/, "");
  const headers = {
    "content-type": "application/json",
    ...(user !== ":" && { authorization: `Basic ${Buffer.from(user).toString("base64")}` }),
  };
  const call = async (path: string, signal: AbortSignal, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${address}/api/2.0/mlflow/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
    });
    const text = await response.text();
    if (!response.ok)
      throw new MlflowError(
        `${address} answered ${response.status} to ${path.split("?")[0]}: ${text.slice(0, 200)}`,
        response.status,
      );
    return text === "" ? {} : JSON.parse(text);
  };
  const findExperiment = async (name: string, signal: AbortSignal): Promise<string | undefined> => {
    try {
      const path = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
      const { experiment } = (await call(path, signal)) as { experiment: { experiment_id: string } };
      return experiment.experiment_id;
    } catch (error) {
      if (error instanceof MlflowError && error.status === 404) return undefined;
      throw error;
    }
  };
  return {
    address,
    async experiment(name, signal) {
      const found = await findExperiment(name, signal);
      if (found !== undefined) return found;
      const made = (await call("experiments/create", signal, { name })) as { experiment_id: string };
      return made.experiment_id;
    },
    async createRun({ experimentId, name, tags }, signal) {
      const body = { experiment_id: experimentId, run_name: name, start_time: Date.now(), tags };
      const { run } = (await call("runs/create", signal, body)) as { run: { info: { run_id: string } } };
      return run.info.run_id;
    },
    async logBatch(runId, batch, signal) {
      await call("runs/log-batch", signal, { run_id: runId, ...batch });
    },
    async updateRun(runId, status, signal) {
      const ended = status === "RUNNING" ? {} : { end_time: Date.now() };
      await call("runs/update", signal, { run_id: runId, status, ...ended });
    },
  };
}
