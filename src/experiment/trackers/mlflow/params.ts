// A configuration as MLflow's flat parameters.
import type { MlflowEntry } from "./client.ts";

/** Longest value that every version of the server takes. */
const MAX_VALUE = 500;

/** Signs other than these are refused in names. */
export const mlflowName = (name: string): string => name.replaceAll(/[^\w\-. /]/g, "_").slice(0, 250);

/** One entry per leaf, "base.learningRate" = "0.001"; lists are leaves. */
export function mlflowParams(config: unknown, path = ""): MlflowEntry[] {
  if (typeof config === "object" && config !== null && !Array.isArray(config))
    return Object.entries(config).flatMap(([key, value]) =>
      mlflowParams(value, path === "" ? key : `${path}.${key}`),
    );
  if (config === undefined || path === "") return [];
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return [{ key: mlflowName(path), value: text.slice(0, MAX_VALUE) }];
}
