// A save that dies at any call of the file system: the checkpoints before it are whole, and the next save goes on.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { scope, tensor } from "../../torch/index.ts";
import { latestRunState, openRunState, saveRunState } from "../index.ts";

/** Every change in order: what, and of which file or folder. */
let log: string[] = [];
/** Changes that still succeed; the one after them and all later ones fail, as for a process that died. */
let left = Infinity;

vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  const names = new Map<unknown, string>();
  const dying =
    <A extends unknown[], R>(what: string, change: (...args: A) => R) =>
    (...args: A): R => {
      if (left-- <= 0) throw new Error("died");
      const result = change(...args);
      const name = names.get(args[0]) ?? basename(String(args[0]));
      if (what === "open") names.set(result, name);
      log.push(`${what} ${name}`);
      return result;
    };
  const { mkdirSync, openSync, writeSync, renameSync, rmSync } = fs;
  return {
    ...fs,
    mkdirSync: dying("mkdir", mkdirSync),
    openSync: dying("open", openSync),
    writeSync: dying("write", writeSync),
    // What flushing does only a loss of power shows; here it costs time alone.
    fsyncSync: dying("flush", () => undefined),
    renameSync: dying("rename", renameSync),
    rmSync: dying("rm", rmSync),
  };
});

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "run-state-crash-"))));
afterEach(() => {
  left = Infinity;
  rmSync(dir, { recursive: true });
});

const save = (step: number, value: number, keep: number): string =>
  scope(() =>
    saveRunState(
      dir,
      { step, tensors: { weights: new Map([["w", tensor([value])]]) }, state: { value } },
      { keep },
    ),
  );

/** Step and value of the newest usable checkpoint; its parts must agree. */
function found(): [number, number] {
  const path = latestRunState(dir)?.path;
  expect(path).toBeDefined();
  const { step, state, tensors } = openRunState(path!);
  const value = tensors("weights").get("w")!;
  expect(value.item()).toBe(state["value"]);
  value.dispose();
  return [step, state["value"] as number];
}

it.each([
  ["a new step, one kept", 4, 1],
  ["a new step, two kept", 4, 2],
  ["the same step again", 2, 1],
])("%s", (_, step, keep) => {
  const seen = new Set<string>();
  for (let calls = 0; ; calls++) {
    expect(calls).toBeLessThan(200);
    left = Infinity;
    rmSync(dir, { recursive: true });
    save(1, 1, 2);
    save(2, 2, 2);
    left = calls;
    let died = false;
    try {
      save(step, 4, keep);
    } catch {
      died = true;
    }
    left = Infinity;
    const now = found();
    expect([
      [2, 2],
      [step, 4],
    ]).toContainEqual(now);
    seen.add(String(now));
    if (!died) {
      expect(now).toEqual([step, 4]);
      break;
    }
    // Whatever is left over, the next save finds its way and clears it up.
    save(6, 6, keep);
    expect(found()).toEqual([6, 6]);
    expect(readdirSync(dir).filter((name) => name.startsWith("."))).toEqual([]);
  }
  expect(seen.size).toBe(2);
});

it("flushes every file and folder before it is given its name, and removes the old one last", () => {
  save(1, 1, 1);
  log = [];
  save(2, 2, 1);
  const temporary = `.checkpoint-000002.tmp-${process.pid}`;
  const file = (name: string) => [`flush ${name}.tmp-${process.pid}`, `rename ${name}.tmp-${process.pid}`];
  const important = log.filter((entry) => /^(flush|rename|rm) /.test(entry));
  expect(important).toEqual([
    ...["weights.safetensors", "state.json", "manifest.json"].flatMap(file),
    `flush ${temporary}`,
    `rename ${temporary}`,
    `flush ${basename(dir)}`,
    `rm .checkpoint-000002.old-${process.pid}`,
    `rm .checkpoint-000001.del-${process.pid}`,
    "rename checkpoint-000001",
    `rm .checkpoint-000001.del-${process.pid}`,
  ]);
});
