import { describe, expect, it } from "vitest";
import { InvDiffError, UserError } from "../experiment/errors.ts";
import { failureOf, StoppedError } from "./failure.ts";

describe("exit codes", () => {
  it.each([
    ["a user's mistake", new UserError("no folder"), 1, "error: no folder"],
    [
      "the environment",
      Object.assign(new Error("EACCES: x"), { code: "EACCES" }),
      1,
      "error: EACCES: x. Check free",
    ],
    ["our fault", new InvDiffError("broken"), 2, "error: broken\nThis is a fault of invdiff."],
    [
      "any other error",
      new TypeError("x is undefined"),
      2,
      "error: x is undefined\nThis is a fault of invdiff.",
    ],
    ["Ctrl-C", new StoppedError("stopped"), 130, ""],
  ])("%s", (_name, error, exitCode, text) => {
    const failure = failureOf(error);
    expect(failure.exitCode).toBe(exitCode);
    expect(failure.text.startsWith(text)).toBe(true);
    expect(failure.text).not.toContain("    at ");
  });

  it("shows stacks and causes only when asked", () => {
    const error = new UserError("outer", { cause: new Error("inner") });
    const { text } = failureOf(error, { debug: true });
    expect(text).toMatch(/^error: outer\nUserError: outer\n\s+at /);
    expect(text).toContain("caused by: Error: inner");
  });
});
