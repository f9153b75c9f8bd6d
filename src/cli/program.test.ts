import { describe, expect, it } from "vitest";
import { runCli } from "../../test/e2e/cli.ts";

describe("help", () => {
  it.each([[["train", "--help"]], [["help", "train"]]])("%j has the options of the schema", async (args) => {
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/--rank <n> +rank of the adapters/);
  });

  it("of an unknown command is the program's, as a mistake", async () => {
    const { code, stderr } = await runCli(["help", "nothing"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Usage: invdiff /);
  });
});
