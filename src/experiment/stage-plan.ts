// What a run would do: the key of every stage, compared with what the folder holds already.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InvDiffError } from "../torch/errors.ts";
import type { ExperimentConfig } from "./config.ts";
import { canonicalJson, hashJson } from "./hash.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import type { Stage } from "./stage.ts";
import { partialFolder, readPartial } from "./stage-folder.ts";

/** Raised when the meaning of finished folders changes; a stage can put its own format number into `inputs`. */
const FORMAT = 1;

/**
 * finished: can be reused · new: nothing there · resumable: unfinished work with the same key ·
 * discarded: unfinished work with another key, which will be removed · changed: finished with another key.
 */
export type StageState = "finished" | "new" | "resumable" | "discarded" | "changed";

export interface PlannedStage {
  stage: Stage;
  key: string;
  inputs: Record<string, unknown>;
  needs: Record<string, string>;
  state: StageState;
  /** Of the finished folder, whatever its key. */
  manifest?: Manifest | undefined;
  /** What finished or unfinished work there was made from. */
  earlier?: Pick<Manifest, "inputs" | "needs"> | undefined;
}

/** Keys and states of all stages; writes nothing. Stages must come after those that they need. */
export async function planStages(
  stages: readonly Stage[],
  config: ExperimentConfig,
  out: string,
): Promise<PlannedStage[]> {
  const planned = new Map<string, PlannedStage>();
  for (const stage of stages) {
    if (planned.has(stage.name)) throw new InvDiffError(`Two stages are called ${stage.name}.`);
    // A trip through JSON, so that the manifest's copy is equal.
    const inputs = JSON.parse(canonicalJson(await stage.inputs(config))) as Record<string, unknown>;
    const needs = Object.fromEntries(
      stage.needs.map((name) => {
        const need = planned.get(name);
        if (!need)
          throw new InvDiffError(`Stage ${stage.name} needs ${name}, which does not come before it.`);
        return [name, need.key];
      }),
    );
    const key = hashJson({ format: FORMAT, stage: stage.name, inputs, needs });
    const manifest = readManifest(join(out, stage.name));
    const partial = partialFolder(out, stage.name);
    const unfinished = existsSync(partial) ? (readPartial(partial) ?? { key: "" }) : undefined;
    const { inputs: had, needs: used } = manifest ?? (unfinished as Partial<Manifest> | undefined) ?? {};
    planned.set(stage.name, {
      ...{ stage, key, inputs, needs, manifest },
      ...(had && used && { earlier: { inputs: had, needs: used } }),
      state: stateOf(key, manifest?.key, unfinished?.key),
    });
  }
  return [...planned.values()];
}

function stateOf(key: string, finished: string | undefined, unfinished: string | undefined): StageState {
  if (finished !== undefined) return finished === key ? "finished" : "changed";
  if (unfinished === undefined) return "new";
  return unfinished === key ? "resumable" : "discarded";
}

/** What differs between earlier work and the plan, one line each: "base.steps: 1500 -> 300". */
export function differences({ earlier, inputs, needs }: PlannedStage): string[] {
  if (!earlier) return [];
  const lines = changedLeaves(earlier.inputs, inputs);
  for (const name of new Set([...Object.keys(earlier.needs), ...Object.keys(needs)])) {
    const [old, now] = [earlier.needs[name], needs[name]];
    if (old === undefined) lines.push(`stage ${name}: not used -> used`);
    else if (now === undefined) lines.push(`stage ${name}: used -> not used`);
    else if (old !== now) lines.push(`stage ${name}: its result is another one now`);
  }
  return lines.length > 0 ? lines : ["the format of the stage's folder"];
}

/** What differs between two values of plain data, one line per leaf: "steps: 50 -> 20". */
export function changedLeaves(old: unknown, now: unknown): string[] {
  const [before, after] = [flatten(old), flatten(now)];
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => {
      const [was, is] = [before.get(key), after.get(key)];
      const isHash = [was, is].every((text) => text !== undefined && /^"[0-9a-f]{64}"$/.test(text));
      return isHash ? `${key}: its contents changed` : `${key}: ${short(was)} -> ${short(is)}`;
    });
}

const short = (text: string | undefined): string =>
  text === undefined ? "absent" : text.length > 70 ? `${text.slice(0, 67)}...` : text;

/** Leaves of plain data as JSON by dotted path; lists count as leaves. */
function flatten(value: unknown, path = ""): Map<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return new Map([[path, canonicalJson(value)]]);
  const entries = Object.entries(value as Record<string, unknown>).filter(([, item]) => item !== undefined);
  return new Map(entries.flatMap(([key, item]) => [...flatten(item, path === "" ? key : `${path}.${key}`)]));
}
