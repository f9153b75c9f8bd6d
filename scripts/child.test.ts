// Child processes that outlive their time.
import { expect, it } from "vitest";
import { run } from "./child.mjs";

it("ends a command after its time with all that it started, and tells what it said", async () => {
  const heard: string[] = [];
  const script = "sleep 60 & echo $!; wait";
  const result = await run("sh", ["-c", script], { limitMs: 500, onText: (text) => heard.push(text) });
  expect(result).toMatchObject({ timedOut: true, signal: "SIGKILL" });
  expect(heard.join("")).toBe(result.output);
  const grandchild = Number(result.output);
  expect(grandchild).toBeGreaterThan(1);
  // A zombie until its new parent has seen its end.
  await expect.poll(() => isThere(grandchild), { timeout: 5000 }).toBe(false);
});

it("says that one which ended by itself did not", async () => {
  const result = await run("sh", ["-c", "exit 3"], { limitMs: 10_000 });
  expect(result).toMatchObject({ code: 3, signal: null, timedOut: false });
});

function isThere(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}
